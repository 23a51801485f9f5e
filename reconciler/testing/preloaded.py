"""Starts `reconciler` commands in processes forked from one that has loaded their modules already.

Loading them takes seconds of processor time, which hundreds of tests would each spend anew. A forked command is a
process of its own in every other way: it can be killed, has its own environment and its own standard streams.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

_COMMAND_LINE = "reconciler.cli.main"

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([_COMMAND_LINE, "reconciler.daemon.server"])


class PreloadedProcess:
    """A `reconciler` command that runs; to be used like `subprocess.Popen`."""

    def __init__(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        streams: tuple[int, int, int],
        folder: str | None = None,
    ) -> None:
        """Start a command.

        Args:
            words: what follows ``reconciler`` on the command line.
            environment: all of its environment.
            streams: file descriptors of its standard input, output and error stream. They stay open here.
            folder: its working directory; ``None`` for that of this process.
        """
        umask = _umask()
        given = (list(words), dict(environment), _Streams(streams), folder or str(Path.cwd()), umask)
        self._process: ForkServerProcess = _CONTEXT.Process(target=_run_command, args=given)
        self._process.start()

    @property
    def pid(self) -> int:
        """The id of the process, which leads a process group of the same id."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; ``None`` while the command runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the command to end; return its exit code.

        Raises:
            subprocess.TimeoutExpired: it still runs after ``timeout`` seconds.
        """
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired("reconciler", timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal to the command, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class _Streams:
    """File descriptors on their way to a forked process."""

    def __init__(self, numbers: Sequence[Any]) -> None:
        self._numbers = numbers

    def __reduce__(self) -> tuple[type[_Streams], tuple[list[Any]]]:
        """Be pickled as what the forked process can take: it is sent the descriptors with the pickle."""
        return _Streams, ([DupFd(number) for number in self._numbers],)

    def take(self) -> None:
        """Make them the standard streams of this process, in the order input, output, error."""
        for number, sent in enumerate(self._numbers):
            received = sent.detach()
            os.dup2(received, number)
            os.close(received)


def run(
    words: Sequence[str],
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    timeout: float = 120.0,
) -> subprocess.CompletedProcess[str]:
    """Run a `reconciler` command to its end, without input.

    Args:
        words: what follows ``reconciler`` on the command line.
        environment: all of its environment; ``None`` for that of this process.
        folder: its working directory; ``None`` for that of this process.
        timeout: seconds that it may take.

    Raises:
        subprocess.TimeoutExpired: it took longer, and was killed.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, Path(os.devnull).open("rb") as nothing:
        streams = (nothing.fileno(), out.fileno(), err.fileno())
        where = str(folder) if folder is not None else None
        process = PreloadedProcess(words, os.environ if environment is None else environment, streams, where)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.send_signal(9)
            process.wait()
            raise
        said = []
        for stream in (out, err):
            stream.seek(0)
            said.append(stream.read().decode("utf-8", "replace"))
    return subprocess.CompletedProcess(["reconciler", *words], code, *said)


def _umask() -> int:
    """Return the umask of this process without changing it, even for a moment."""
    lines = Path("/proc/self/status").read_text("ascii", "replace").splitlines()
    return int(next(line for line in lines if line.startswith("Umask:")).split()[1], 8)


def _run_command(
    words: list[str], environment: dict[str, str], streams: _Streams, folder: str, umask: int
) -> None:
    """Run one command, as the process that was forked for it."""
    os.setsid()
    streams.take()
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.umask(umask)
    os.chdir(folder)
    gc.freeze()  # what is shared with the process that was forked stays so
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        buffering = 1 if name == "stderr" else -1
        setattr(sys, name, open(number, mode, buffering, encoding="utf-8", closefd=False))  # noqa: SIM115
    if environment.get("PYTHONFAULTHANDLER"):
        faulthandler.enable()
    sys.argv = ["reconciler", *words]
    importlib.import_module(_COMMAND_LINE).run()
