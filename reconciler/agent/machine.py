"""The ports to the machine that is kept: what can be seen there, what can be run, what files it has. Decides
nothing.

Everything above these ports is the same however a machine is reached: by the agent on it, or from the server. All
adapters pass the same contract tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from reconciler.kernel.artifact import Artifact
from reconciler.kernel.calls import Call
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.observation import Facts, InstalledPatch, InstalledProduct
from reconciler.kernel.probes import Answer, Probe
from reconciler.kernel.signatures import Signature


class MachineError(ReconcilerError):
    """The machine could not be looked at, or a run could not be started."""

    reference = "machine-error"


class ArtifactRefused(ReconcilerError):
    """A file that is not the one the catalog names, or not signed by whom it names; nothing of it was run."""

    reference = "artifact-refused"


class ArtifactUnavailable(ReconcilerError):
    """A file that cannot be had at present."""

    reference = "artifact-unavailable"


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the machine showed.

    ``booted_at`` is in seconds since the epoch, give or take a few. ``pending_renames`` are the files that are to
    be replaced at the next boot: so many programs leave some that only new ones tell anything. ``free_bytes`` are
    those of the system's drive; ``None`` where that is not known. ``machine_id`` is what Windows calls the
    installation, empty where that is not known or not asked.
    """

    products: tuple[InstalledProduct, ...]
    reboot_pending: tuple[str, ...]
    booted_at: int
    system: str
    patches: tuple[InstalledPatch, ...] = ()
    answers: tuple[Answer, ...] = ()
    pending_renames: tuple[str, ...] = ()
    free_bytes: int | None = None
    machine_id: str = ""

    @property
    def facts(self) -> Facts:
        """What decisions go by."""
        return Facts(self.products, self.patches, self.answers)


@dataclass(frozen=True, slots=True)
class Run:
    """One run: what to call, and a name for it, ``<attempt>-<suffix>``, that no other run ever has."""

    name: str
    call: Call


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run returned: its exit code, and its own words about the first error."""

    exit_code: int
    message: str = ""


class Running(Protocol):
    """A run in a process of its own, which goes on when whoever started it dies."""

    @property
    def log_path(self) -> str:
        """Where the run's log lies on the machine."""

    def wait(self, seconds: float) -> bool:
        """Wait for its end, ``seconds`` at most; return whether it has ended.

        Raises:
            MachineError: the machine cannot be asked now.
        """

    def kill(self) -> None:
        """End it by force, with all that it has started. The machine must be looked at afterwards."""

    def result(self) -> RunResult | None:
        """Return what it returned; ``None`` where it runs still, or was ended from outside.

        Raises:
            MachineError: the machine cannot be asked now.
        """

    def log(self) -> str:
        """Return the end of its log, decoded; empty where there is none."""


class Machine(Protocol):
    """A machine on which things can be run."""

    def look(self, probes: Sequence[Probe] = ()) -> Look:
        """Look at the machine.

        Args:
            probes: what to ask beside what every look shows.

        Raises:
            MachineError: it could not be looked at.
        """

    def start(self, run: Run) -> Running:
        """Start a run in a process of its own, which claims it first and writes its result.

        Raises:
            MachineError: the process could not be started.
        """

    def find(self, name: str) -> Running | None:
        """Return a run that was begun by an earlier process, whether or not it has ended.

        Returns:
            ``None`` where it never began; then it never will.

        Raises:
            MachineError: the machine cannot be asked now.
        """

    def forget(self, attempt: str) -> None:
        """Delete what the runs of an attempt left on the machine; of all attempts where ``attempt`` is empty."""


class Signatures(Protocol):
    """Who signed the files on a machine, as the machine itself says."""

    def examine(self, path: str) -> Signature:
        """Return what is known of the signature of a file that lies at ``path`` on the machine.

        Raises:
            MachineError: the machine cannot be asked now.
        """


class Files(Protocol):
    """The artifacts on a machine. None is handed out whose hash and signer have not just been checked there."""

    def fetch(self, artifact: Artifact) -> str:
        """Have an artifact on the machine; return its path there.

        Raises:
            ArtifactRefused: what came is another file than the catalog names, or its signer is not the one
                that is pinned.
            MachineError: the machine cannot be asked now.
            ArtifactUnavailable: it cannot be had at present.
        """

    def fetch_again(self, artifact: Artifact) -> str:
        """Fetch an artifact anew, since the installer could not use the one that is there.

        Raises:
            ArtifactRefused, ArtifactUnavailable: as with `fetch`.
        """
