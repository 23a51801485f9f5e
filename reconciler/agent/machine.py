"""The port to the machine that the agent keeps: what it can see there and what it can run. Decides nothing.

Two adapters: `reconciler.agent.windows.machine` for Windows, and the simulated machine that tests and
demonstrations use. Both pass the same contract tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from reconciler.agent.run_folder import LOG_NAME
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.observation import InstalledProduct
from reconciler.kernel.steps import Action


class MachineError(ReconcilerError):
    """The machine could not be looked at, or an installer run could not be started."""

    reference = "machine-error"


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the machine showed. ``booted_at`` is in seconds since the epoch, give or take a few."""

    products: tuple[InstalledProduct, ...]
    reboot_pending: tuple[str, ...]
    booted_at: int
    system: str


@dataclass(frozen=True, slots=True)
class Run:
    """One installer run: what to do, with which file, and the run's own folder (see `run_folder`).

    ``file`` is ``None`` for a removal, which goes by product code. ``transforms`` are applied in this order.
    """

    action: Action
    file: Path | None
    folder: Path
    transforms: tuple[Path, ...] = ()

    @property
    def transform_names(self) -> tuple[str, ...]:
        """The transforms as the installer is given them: full paths, since it must find them again later."""
        return tuple(str(transform) for transform in self.transforms)

    @property
    def log(self) -> Path:
        """Where the installer writes its log."""
        return self.folder / LOG_NAME


class RunningInstaller(Protocol):
    """A child process that runs the installer; it goes on when the agent dies."""

    def wait(self, seconds: float) -> bool:
        """Wait for its end, ``seconds`` at most; return whether it has ended."""

    def kill(self) -> None:
        """End it by force. The machine must be looked at afterwards."""


class Machine(Protocol):
    """A machine with Windows Installer on it."""

    def look(self) -> Look:
        """Look at the machine.

        Raises:
            MachineError: it could not be looked at.
        """

    def start(self, run: Run) -> RunningInstaller:
        """Start the installer in a child process of its own, which claims the run first and writes its result.

        Raises:
            MachineError: the process could not be started.
        """

    def find(self, claim: str) -> RunningInstaller | None:
        """Return the process that claimed a run as ``claim``, or ``None`` where it no longer runs."""
