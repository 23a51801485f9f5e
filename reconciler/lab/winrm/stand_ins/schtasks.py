"""A stand-in for schtasks.exe on lab hosts, whose Wine has an empty one: tasks that SYSTEM runs when told to.

It knows /create (/tn /tr /sc ONCE /st /ru SYSTEM /rl /f; or /tn /xml /ru SYSTEM /f), /run, /query (/v /fo LIST),
/end and /delete. No task starts by the clock. A task runs outside the job of whoever started it, as the Task
Scheduler's do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from xml.etree import ElementTree

from reconciler.lab.winrm.stand_ins.windows_processes import (
    is_alive,
    processes,
    start_as_child_of,
    terminate,
    tree_of,
)

_Done = TypeVar("_Done")
_TASKS = Path(r"C:\ProgramData\Reconciler Lab\tasks")
_RUN_TASK = "/lab-run-task"
_SCHEDULER = "services.exe"

_NEVER_RUN, _RUNNING, _TERMINATED = 267011, 267009, 267014
"""SCHED_S_TASK_HAS_NOT_RUN, SCHED_S_TASK_RUNNING and SCHED_S_TASK_TERMINATED."""

_BUSY_SECONDS, _PAUSE_SECONDS = 10.0, 0.02
"""How long a task's file may be held open by another of these processes: Windows then lets nobody replace it, and
lets nobody read it while it is being replaced."""

_CANNOT_START = 0x80070002
"""ERROR_FILE_NOT_FOUND."""


class _Refused(Exception):
    pass


def main(words: list[str]) -> int:
    """Do as schtasks does and return its exit code."""
    if words[:1] == [_RUN_TASK]:
        _run_task(words[1])
        return 0
    options = _options(words)
    try:
        for name, action in (
            ("create", _create),
            ("run", _run),
            ("query", _query),
            ("end", _end),
            ("delete", _delete),
        ):
            if name in options:
                action(options)
                return 0
        raise _Refused("Invalid syntax.")
    except _Refused as refused:
        print(f"ERROR: {refused}", file=sys.stderr)
        return 1


def _options(words: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for i, word in enumerate(words):
        if word.startswith("/"):
            value = words[i + 1] if i + 1 < len(words) and not words[i + 1].startswith("/") else ""
            found[word[1:].lower()] = value
    return found


def _create(options: dict[str, str]) -> None:
    name, command = _name(options), options.get("tr", "")
    if "xml" in options:
        command = _command_in(Path(options["xml"]))
    elif not command or options.get("sc", "").upper() != "ONCE":
        raise _Refused("this stand-in of the lab makes tasks with /tr and /sc ONCE only.")
    if options.get("ru", "").upper() not in ("SYSTEM", r"NT AUTHORITY\SYSTEM"):
        raise _Refused("this stand-in of the lab makes tasks of SYSTEM only.")
    if _file_of(name).exists() and "f" not in options:
        raise _Refused("the task exists already, and this stand-in of the lab cannot ask (use /f).")
    _TASKS.mkdir(parents=True, exist_ok=True)
    _write(name, {"command": command, "result": _NEVER_RUN, "runner": 0})
    print(f'SUCCESS: The scheduled task "{name}" has successfully been created.')


def _command_in(definition: Path) -> str:
    """Return the command line of a task's definition.

    Source: learn.microsoft.com/windows/win32/taskschd/task-scheduler-schema
    """
    namespace = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
    try:
        task = ElementTree.fromstring(definition.read_bytes())  # noqa: S314 - of our own making
    except OSError as error:
        raise _Refused("The system cannot find the file specified.") from error
    except ElementTree.ParseError as error:
        raise _Refused(f"The task XML is malformed. {error}") from error
    execution = task.find(f"{namespace}Actions/{namespace}Exec")
    if task.tag != f"{namespace}Task" or execution is None:
        raise _Refused("The task XML is missing a required element or attribute.")
    command = execution.findtext(f"{namespace}Command", "")
    return f'"{os.path.expandvars(command)}" {execution.findtext(f"{namespace}Arguments", "")}'


def _run(options: dict[str, str]) -> None:
    name = _name(options)
    task = _read(name)
    if not is_alive(task["runner"]):
        scheduler = next(process.pid for process in processes() if process.name.lower() == _SCHEDULER)
        words = [sys.executable, sys.argv[0], _RUN_TASK, name]
        start_as_child_of(scheduler, words, lambda pid: _write(name, {**task, "runner": pid}))
    print(f'SUCCESS: Attempted to run the scheduled task "{name}".')


def _query(options: dict[str, str]) -> None:
    name = _name(options)
    task = _read(name)
    running = is_alive(task["runner"])
    fields = {
        "HostName": os.environ.get("COMPUTERNAME", ""),
        "TaskName": f"\\{name}",
        "Next Run Time": "N/A",
        "Status": "Running" if running else "Ready",
        "Logon Mode": "Interactive/Background",
    }
    if "v" in options:
        fields |= {
            "Last Result": str(_RUNNING if running else task["result"]),
            "Task To Run": str(task["command"]),
            "Run As User": "SYSTEM",
        }
    form = options.get("fo", "TABLE").upper()
    if form == "LIST":
        print("\nFolder: \\")
        for field, value in fields.items():
            print(f"{field + ':':<37}{value}")
    elif form == "CSV":
        if "nh" not in options:
            print(",".join(f'"{field}"' for field in fields))
        print(",".join(f'"{value}"' for value in fields.values()))
    else:
        print(f"\nFolder: \\\n{'TaskName':<40} {'Next Run Time':<22} {'Status':<15}")
        print(f"{'=' * 40} {'=' * 22} {'=' * 15}\n{name:<40} {'N/A':<22} {fields['Status']:<15}")


def _end(options: dict[str, str]) -> None:
    name = _name(options)
    task = _read(name)
    if is_alive(task["runner"]):
        everything = processes()
        runner = [process for process in everything if process.pid == task["runner"]]
        for process in reversed(tree_of(runner, everything)):
            terminate(process.pid)
        _write(name, {**task, "runner": 0, "result": _TERMINATED})
    print(f'SUCCESS: The scheduled task "{name}" has been terminated successfully.')


def _delete(options: dict[str, str]) -> None:
    name = _name(options)
    _read(name)
    _when_free(_file_of(name).unlink)
    print(f'SUCCESS: The scheduled task "{name}" was successfully deleted.')


def _run_task(name: str) -> None:
    """Run a task's command to its end; a process of its own does this, outside every job."""
    task = _read(name)
    nothing = subprocess.DEVNULL
    try:
        result = subprocess.run(
            task["command"], stdin=nothing, stdout=nothing, stderr=nothing, check=False
        ).returncode
    except OSError:
        result = _CANNOT_START
    if _file_of(name).exists():  # else it was deleted while it ran
        _write(name, {**task, "runner": 0, "result": result})


def _name(options: dict[str, str]) -> str:
    name = options.get("tn", "").lstrip("\\")
    if not name:
        raise _Refused("Invalid syntax. Mandatory option '/tn' is missing.")
    return name


def _file_of(name: str) -> Path:
    return _TASKS / f"{name.replace(chr(92), '_')}.json"


def _read(name: str) -> dict[str, Any]:
    file = _file_of(name)
    try:
        found: dict[str, Any] = json.loads(_when_free(lambda: file.read_text("utf-8")))
    except FileNotFoundError as error:
        raise _Refused("The system cannot find the file specified.") from error
    return found


def _write(name: str, task: dict[str, Any]) -> None:
    file = _file_of(name)
    unfinished = file.with_suffix(f".{os.getpid()}.unfinished")
    unfinished.write_text(json.dumps(task), encoding="utf-8")
    _when_free(lambda: unfinished.replace(file))


def _when_free(action: Callable[[], _Done]) -> _Done:
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            return action()
        except PermissionError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
