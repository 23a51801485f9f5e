"""The state of a simulated Windows machine, and what can go wrong on it. Pure data."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.kernel.calls import CallKind
from reconciler.kernel.observation import InstalledPatch, InstalledProduct
from reconciler.kernel.probes import Answer
from reconciler.kernel.signatures import Signature


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong when something runs for a product code (or, where there is none, for a subject).

    ``kind`` narrows it to one kind of call. ``seconds`` pass before anything happens. ``exit_code`` 0, 3010 and
    1641 come after the run did its work, unless it is ``without_effect``; any other in its place. ``times`` counts
    the runs it is still good for; ``None`` for ever.
    """

    product_code: str
    kind: CallKind | None = None
    exit_code: int = 0
    message: str = ""
    seconds: float = 0.0
    without_effect: bool = False
    times: int | None = None


@dataclass(frozen=True, slots=True)
class SimulatedCommand:
    """A command line that the machine knows: its exit code, and what the machine answers once it has run.

    ``seconds`` is what it takes where it is a probe, and counts against the probe's time; nothing waits for it.
    """

    line: str
    exit_code: int = 0
    answers: tuple[Answer, ...] = ()
    message: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class SimulatedSignature:
    """What the machine says of the signature of every file that is called so."""

    file_name: str
    signature: Signature


@dataclass(frozen=True, slots=True)
class WindowsState:
    """What a simulated machine has. ``booted_at`` is in seconds since the epoch."""

    booted_at: int
    products: tuple[InstalledProduct, ...] = ()
    reboot_pending: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    patches: tuple[InstalledPatch, ...] = ()
    answers: tuple[Answer, ...] = ()
    commands: tuple[SimulatedCommand, ...] = ()
    pending_renames: tuple[str, ...] = ()
    free_bytes: int | None = None
    signatures: tuple[SimulatedSignature, ...] = ()
    machine_id: str = "simulated"
