"""The Windows machine that the agent runs on: msi.dll and the registry to look, a child process to install."""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import subprocess
from collections.abc import Sequence
from pathlib import Path

import reconciler
from reconciler.agent.local_runs import LocalRuns
from reconciler.agent.local_runs import Process as LocalProcess
from reconciler.agent.machine import Look
from reconciler.agent.windows.boot import booted_at, reboot_signals, system
from reconciler.agent.windows.processes import Process, find_process, open_process
from reconciler.agent.windows.products import list_products
from reconciler.kernel.calls import Call
from reconciler.kernel.probes import Probe

_ROOT = Path(reconciler.__file__).parent.parent
_CHILD = (
    f"import sys; sys.path.insert(0, {str(_ROOT)!r}); "
    "from reconciler.agent.windows.installer_run import main; main(sys.argv[1:])"
)
_APART = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
_ACCESS_DENIED = 5


class WindowsMachine:
    """The machine that this runs on. Implements `reconciler.agent.machine.Machine`.

    Args:
        runs: the folder for runs.
    """

    def __init__(self, runs: Path) -> None:
        self._system = system()
        local = LocalRuns(runs, _start_child, find_process)
        self.start, self.find, self.forget = local.start, local.find, local.forget

    def look(self, probes: Sequence[Probe] = ()) -> Look:
        """Look at the machine: some milliseconds for a hundred products, and what the probes take."""
        return Look(list_products(), reboot_signals(), booted_at(), self._system)


def _start_child(folder: Path, call: Call) -> LocalProcess:
    """Start a child process that is not in the agent's job, so that it outlives the agent."""
    arguments = [str(folder), call.kind, call.subject, call.properties, call.product_code]
    return _Child(_spawn([sys.executable, "-I", "-S", "-c", _CHILD, *arguments]))


class _Child:
    """A child process of this agent's. The handle of `subprocess` keeps its id from being used anew."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        self._process: Process | None = open_process(child.pid)

    def wait(self, seconds: float) -> bool:
        return self._process is None or self._process.wait(seconds)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()


def _spawn(command: list[str]) -> subprocess.Popen[bytes]:
    try:
        return _popen(command, _APART | subprocess.CREATE_BREAKAWAY_FROM_JOB)
    except OSError as error:
        if error.winerror != _ACCESS_DENIED:
            raise
        return _popen(command, _APART)  # the job that the agent runs in lets nobody go


def _popen(command: list[str], flags: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        creationflags=flags,
        close_fds=True,
    )
