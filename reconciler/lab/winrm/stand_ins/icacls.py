r"""A stand-in for icacls.exe on lab hosts, whose Wine has one that does nothing. It only notes what it is asked.

Nothing is protected: whoever has a lab host's files on Linux can read them. Each call is a line of JSON, its
arguments, in ``C:\windows\temp\icacls.jsonl``.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

_NOT_FOUND = 2
_BAD_ARGUMENT = 87


def main(words: list[str]) -> int:
    """Note the call as icacls would carry it out, and return its exit code."""
    if not words or words[0].startswith("/"):
        print("Invalid parameter", file=sys.stderr)
        return _BAD_ARGUMENT
    if not Path(words[0]).exists():
        print(f"{words[0]}: The system cannot find the file specified.", file=sys.stderr)
        return _NOT_FOUND
    notes = Path(os.environ.get("SYSTEMROOT", r"C:\windows"), "temp", "icacls.jsonl")
    notes.parent.mkdir(exist_ok=True)
    with notes.open("a", encoding="utf-8") as out:
        out.write(json.dumps(words) + "\n")
    print("Successfully processed 1 files; Failed processing 0 files")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
