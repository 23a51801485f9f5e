"""The port to a simulated Windows machine: the agent keeps it as it keeps a real one, child processes included."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import reconciler
from reconciler.agent.machine import Look, MachineError, Run, RunningInstaller
from reconciler.kernel.wire import encode
from reconciler.testing.simulated_windows import SimulatedWindows

SYSTEM = "Simulated Windows (no real machine)"

_ROOT = Path(reconciler.__file__).parent.parent
_CHILD = (
    f"import sys; sys.path.insert(0, {str(_ROOT)!r}); "
    "from reconciler.testing.simulated_installer import main; main(sys.argv[1:])"
)
_LOOK_AGAIN = 0.05


class SimulatedMachine:
    """The simulated machine whose state lies in ``state``. Implements `reconciler.agent.machine.Machine`."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self.windows = SimulatedWindows(state)

    def look(self) -> Look:
        """Look at the simulated machine."""
        state = self.windows.state()
        return Look(state.products, state.reboot_pending, state.booted_at, SYSTEM)

    def start(self, run: Run) -> RunningInstaller:
        """Start the simulated installer in a process of its own, which outlives this one."""
        action = json.dumps(encode(run.action))
        file = str(run.file) if run.file is not None else ""
        try:
            child = subprocess.Popen(
                [sys.executable, "-c", _CHILD, str(self._state), str(run.folder), action, file],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise MachineError(
                f"the installer's process cannot be started: {error}", where=sys.executable
            ) from error
        return _Child(child)

    def find(self, claim: str) -> RunningInstaller | None:
        """Return the process that claimed a run as ``claim``, or ``None`` where it no longer runs."""
        pid, _, alive = claim.partition(" ")
        if not pid.isdigit() or not alive:
            return None
        found = _Found(int(pid), Path(alive))
        return None if found.wait(0) else found


class _Child:
    """A child process of this agent's."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child

    def wait(self, seconds: float) -> bool:
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        self._child.kill()


class _Found:
    """A process that an earlier agent process had started: it lives as long as it holds its lock."""

    def __init__(self, pid: int, alive: Path) -> None:
        self._pid = pid
        self._alive = alive

    def wait(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self._lives():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK_AGAIN)
        return True

    def kill(self) -> None:
        if self._lives():
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def _lives(self) -> bool:
        try:
            with self._alive.open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False
