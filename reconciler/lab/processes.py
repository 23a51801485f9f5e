"""Finds and ends the Unix processes of one Wine prefix; never touches any other process.

A process belongs to a prefix when its environment carries the mark that the lab gives to what it starts, or when
it is one of Wine's own programs and its environment names the prefix. Signals go through process file descriptors,
so that a reused process id can never be hit.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from reconciler.lab.errors import LabError

MARK = "RECONCILER_LAB_PREFIX"
"""The variable by which the lab marks what it starts, such as a shell that is about to become Wine."""

_END_SECONDS = 20

_EXEC_LOOKS = 20
_EXEC_PAUSE = 0.001
"""How often, and after how many seconds, a process is looked at again that seems to be starting a program."""


@dataclass(frozen=True, slots=True)
class WineProcess:
    """A process of a prefix: ``command`` is what started it, for a Windows program the program's path first."""

    pid: int
    program: str
    command: tuple[str, ...]

    @property
    def is_server(self) -> bool:
        """Whether this is the wineserver, which is to its prefix what the kernel is to a machine."""
        return self.program.startswith("wineserver")


def processes_of(prefix: Path) -> tuple[WineProcess, ...]:
    """Return every living process of the Wine prefix at ``prefix``."""
    pids = sorted(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return tuple(found for pid in pids if (found := _look_at(pid, prefix)) is not None)


def kill_all(prefix: Path, chosen: Callable[[WineProcess], bool]) -> None:
    """End the chosen processes of a prefix at once, as a power cut would, until none is left.

    Raises:
        LabError: some are still there after 20 seconds.
    """
    deadline = time.monotonic() + _END_SECONDS
    while remaining := [process for process in processes_of(prefix) if chosen(process)]:
        if time.monotonic() > deadline:
            names = ", ".join(f"{process.program} ({process.pid})" for process in remaining)
            raise LabError(f"processes did not end: {names}", where=str(prefix), hint="end them, then try again")
        for process in remaining:
            _kill(process, prefix, deadline - time.monotonic())


def _kill(process: WineProcess, prefix: Path, seconds: float) -> None:
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        # Between the search and now the id may have passed to another process: the handle stays with this one.
        if _look_at(process.pid, prefix) is not None:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            select.select([handle], [], [], max(seconds, 0))
    except ProcessLookupError:
        return
    finally:
        os.close(handle)


def _look_at(pid: int, prefix: Path) -> WineProcess | None:
    root = Path("/proc") / str(pid)
    found = _read(root, pid, prefix)
    if found is not None or not _leader_is_dead(root):
        return found
    # The first thread has ended, and with it what can be read of the process as a whole; others live on.
    with suppress(OSError):
        for thread in (root / "task").iterdir():
            if (found := _read(thread, pid, prefix)) is not None:
                return found
    return None


def _leader_is_dead(root: Path) -> bool:
    try:
        return (root / "stat").read_bytes().rpartition(b")")[2].split()[0] == b"Z"
    except (OSError, IndexError):
        return False


def _read(entry: Path, pid: int, prefix: Path) -> WineProcess | None:
    try:
        program, environ, command = _start_of(entry)
    except OSError:  # it has ended, or it is somebody else's, or a thread of the system, which has no program
        return None
    directory = os.fsencode(prefix)
    environment = environ.split(b"\0")
    marked = MARK.encode() + b"=" + directory in environment
    if not marked and (b"WINEPREFIX=" + directory not in environment or not program.startswith("wine")):
        return None
    words = tuple(word.decode(errors="replace") for word in command.rstrip(b"\0").split(b"\0"))
    return WineProcess(pid, program, words)


def _start_of(entry: Path) -> tuple[str, bytes, bytes]:
    """Return the program of a process, its environment and its words.

    While a process takes up another program there is a moment in which it has neither environment nor words, so
    one that has none is looked at again.
    """
    for _ in range(_EXEC_LOOKS):
        found = (
            (entry / "exe").readlink().name,
            (entry / "environ").read_bytes(),
            (entry / "cmdline").read_bytes(),
        )
        if found[1] and found[2]:
            break
        time.sleep(_EXEC_PAUSE)
    return found
