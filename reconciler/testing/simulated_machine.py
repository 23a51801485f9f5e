"""The port to a simulated Windows machine: the agent keeps it as it keeps a real one, child processes included."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import reconciler
from reconciler.agent.local_runs import LocalRuns, Process
from reconciler.agent.machine import Look
from reconciler.kernel.calls import Call
from reconciler.kernel.probes import Probe
from reconciler.kernel.signatures import Signature
from reconciler.testing.simulated_windows import SimulatedWindows

RUNS_NAME = "runs"
SYSTEM = "Simulated Windows (no real machine)"

_ROOT = Path(reconciler.__file__).parent.parent
_CHILD = (
    f"import sys; sys.path.insert(0, {str(_ROOT)!r}); "
    "from reconciler.testing.simulated_installer import main; main(sys.argv[1:])"
)
_LOOK_AGAIN = 0.05


class SimulatedSignatures:
    """The signatures of files on a simulated machine. Implements `reconciler.agent.machine.Signatures`.

    No signature is looked at: `SimulatedWindows.sign` says what is answered.
    """

    def __init__(self, windows: SimulatedWindows) -> None:
        self._windows = windows

    def examine(self, path: str) -> Signature:
        """Return what the machine was told to answer."""
        return self._windows.signature(Path(path).name)


class SimulatedMachine:
    """The simulated machine whose state lies in ``state``. Implements `reconciler.agent.machine.Machine`."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self.windows = SimulatedWindows(state)
        self.signatures = SimulatedSignatures(self.windows)
        runs = LocalRuns(state.with_name(RUNS_NAME), self._spawn, _find_process)
        self.start, self.find, self.forget = runs.start, runs.find, runs.forget

    def look(self, probes: Sequence[Probe] = ()) -> Look:
        """Look at the simulated machine."""
        state = self.windows.state()
        return Look(
            state.products,
            state.reboot_pending,
            state.booted_at,
            SYSTEM,
            state.patches,
            self.windows.answer(probes),
            state.pending_renames,
            state.free_bytes,
            state.machine_id,
        )

    def _spawn(self, folder: Path, _call: Call) -> Process:
        """Start the simulated installer in a process of its own, which outlives this one."""
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(self._state), str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return _Child(child)


def _find_process(claim: str) -> Process | None:
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
