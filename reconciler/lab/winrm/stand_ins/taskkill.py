"""A stand-in for taskkill.exe on lab hosts, whose Wine has one without ``/T``: it knows /F, /T, /PID and /IM."""

from __future__ import annotations

import sys

from reconciler.lab.winrm.stand_ins.windows_processes import Listed, processes, terminate, tree_of

_NOT_FOUND = 128


def main(words: list[str]) -> int:
    """Do as taskkill does and return its exit code."""
    options = [word.upper().lstrip("-/") for word in words]
    if "F" not in options:
        print("ERROR: this stand-in of the lab ends processes by force only (/F).", file=sys.stderr)
        return 1
    wanted = [words[i + 1] for i, option in enumerate(options[:-1]) if option in ("PID", "IM")]
    if not wanted:
        print("ERROR: Invalid syntax. Neither /FI nor /PID nor /IM were specified.", file=sys.stderr)
        return 1
    return max([_end(one, "T" in options) for one in wanted])


def _end(wanted: str, tree: bool) -> int:
    everything = processes()
    found = [process for process in everything if wanted.lower() in (str(process.pid), process.name.lower())]
    if not found:
        print(f'ERROR: The process "{wanted}" not found.', file=sys.stderr)
        return _NOT_FOUND
    return max([_terminate(process, tree) for process in reversed(tree_of(found, everything) if tree else found)])


def _terminate(process: Listed, tree: bool) -> int:
    child = f" (child process of PID {process.parent})" if tree else ""
    if terminate(process.pid):
        print(f"SUCCESS: The process with PID {process.pid}{child} has been terminated.")
        return 0
    print(f"ERROR: The process with PID {process.pid}{child} could not be terminated.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
