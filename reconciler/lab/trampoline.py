"""Runs one command on a lab host and writes its true exit code to a file; runs on Windows Python alone.

Wine's Unix process hands on 8 bits of an exit code only, so 1603 would become 67.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def main(request_text: str) -> None:
    """Carry out a request: ``command`` (a list or a command line), ``timeout`` in seconds, ``result`` (a file).

    A file beside the result says that the command was begun: whoever finds neither may ask once more.
    """
    request = json.loads(request_text)
    result = Path(request["result"])
    result.with_suffix(".begun").touch()
    unfinished = result.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(_run(request["command"], request["timeout"])), encoding="utf-8")
    unfinished.replace(result)


def _run(command: str | list[str], timeout: float) -> dict[str, object]:
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stdout, stderr=sys.stderr)
    except OSError as error:
        return {"error": str(error)}
    try:
        return {"exitCode": process.wait(timeout)}
    except subprocess.TimeoutExpired:
        process.kill()
        return {"timedOut": True}


if __name__ == "__main__":
    main(sys.argv[1])
