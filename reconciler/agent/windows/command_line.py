r"""Runs one command line through cmd, bounded in time, its output written to a log as it comes.

The line is given to ``cmd /d /s /c "…"``: with ``/s`` cmd takes off exactly the outer quotes and reads what is
between them as if it had been typed, so nothing in the line is escaped or changed; ``%NAME%`` is replaced by the
variable, ``&``, ``|`` and ``>`` outside quotes are cmd's own. ``/d`` keeps AutoRun commands of the registry out.

Source: learn.microsoft.com/windows-server/administration/windows-commands/cmd
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
import os
import subprocess
import threading
from pathlib import Path

from reconciler.agent.windows.jobs import CommandJob
from reconciler.agent.windows.process_list import end_tree
from reconciler.agent.windows.processes import open_process

_SYSTEM = os.environ.get("SYSTEMROOT", r"C:\Windows") + r"\System32"
_LAST_OUTPUT_SECONDS = 2.0
"""How long the end of the output is waited for: a process left behind may hold it open for ever."""


def run_command(line: str, seconds: float, log: Path | None = None) -> tuple[int | None, str]:
    """Run a command line to its end.

    Args:
        line: what would be typed.
        seconds: how long it may take; then it is ended with all that it has started.
        log: the file that its output is written to, in UTF-8; ``None`` throws it away.

    Returns:
        its exit code, all 32 bits, signed, ``None`` where it did not end in time; and the last line of its output.

    Raises:
        OSError: cmd could not be started, or the log not be written.
    """
    output = _Output(log) if log is not None else None
    child = subprocess.Popen(
        rf'"{_SYSTEM}\cmd.exe" /d /s /c "{line}"',
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if output else subprocess.DEVNULL,
        stderr=subprocess.STDOUT if output else subprocess.DEVNULL,
        cwd=_SYSTEM,
        creationflags=subprocess.CREATE_NO_WINDOW,
    )
    if output is not None:
        output.take(child)
    process = open_process(child.pid)
    job = CommandJob(int(child._handle))  # type: ignore[attr-defined]
    code: int | None
    try:
        code = ctypes.c_int(child.wait(seconds)).value
        job.let_go()
    except subprocess.TimeoutExpired:
        code = None
        job.end()
        if process is not None:
            end_tree(child.pid, process.created)
        child.wait()
    return code, output.last_line() if output else ""


class _Output:
    """What a command writes, copied to a log line by line."""

    def __init__(self, log: Path) -> None:
        self._log = log.open("wb", buffering=0)
        self._last = ""

    def take(self, child: subprocess.Popen[bytes]) -> None:
        """Take the output of ``child`` from now on."""
        self._thread = threading.Thread(target=self._copy, args=(child,), daemon=True)
        self._thread.start()

    def last_line(self) -> str:
        """Return the last line that is not empty."""
        self._thread.join(_LAST_OUTPUT_SECONDS)
        return self._last

    def _copy(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None
        for raw in child.stdout:
            text = _decode(raw)
            self._log.write(text.encode("utf-8"))
            self._last = text.strip() or self._last
        self._log.close()


def _decode(raw: bytes) -> str:
    """Newer programs write UTF-8, older ones the console's code page."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("oem", "replace")
