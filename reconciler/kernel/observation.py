"""What a host says of itself: products, patches, answers to probes, pending reboots, and tries made in vain."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reconciler.kernel.attempts import Tally
from reconciler.kernel.probes import Answer, Answers


class Context(StrEnum):
    """For whom a product is installed."""

    MACHINE = "machine"
    USER = "user"


class ProductState(StrEnum):
    """Whether a registered product is really there.

    Source: learn.microsoft.com/windows/win32/api/msi/nf-msi-msigetproductinfoexw ("State": 5 and 1)
    """

    INSTALLED = "installed"
    ADVERTISED = "advertised"


@dataclass(frozen=True, slots=True)
class InstalledProduct:
    """A product that Windows Installer has registered on a host.

    ``package_code`` and ``upgrade_code`` are ``None`` where the host could not tell.
    """

    product_code: str
    version: str
    name: str
    package_code: str | None = None
    upgrade_code: str | None = None
    context: Context = Context.MACHINE
    state: ProductState = ProductState.INSTALLED


class PatchState(StrEnum):
    """Whether a registered patch is in effect, or another one has taken its place.

    Source: learn.microsoft.com/windows/win32/api/msi/nf-msi-msienumpatchesexw (dwFilter)
    """

    APPLIED = "applied"
    SUPERSEDED = "superseded"
    OBSOLETED = "obsoleted"


@dataclass(frozen=True, slots=True)
class InstalledPatch:
    """A patch that Windows Installer has registered on a product."""

    patch_code: str
    product_code: str
    state: PatchState = PatchState.APPLIED
    removable: bool = True


@dataclass(frozen=True, slots=True)
class Facts:
    """What decisions go by: what is installed, and what the host answered."""

    products: tuple[InstalledProduct, ...] = ()
    patches: tuple[InstalledPatch, ...] = ()
    answers: tuple[Answer, ...] = ()

    @property
    def by_probe(self) -> Answers:
        """The answers by the keys of their probes."""
        return {answer.probe: answer.text for answer in self.answers}


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at a host.

    ``reboot_pending`` lists the signals that ask for a reboot, empty where none does; ``reboot_asked_by`` is the
    package whose install asked for one and has not seen it yet. ``booted_at`` is in
    seconds since the epoch. ``tallies`` count the failed attempts at the goals that are now assigned.
    """

    products: tuple[InstalledProduct, ...] = ()
    reboot_pending: tuple[str, ...] = ()
    reboot_asked_by: str = ""
    booted_at: int = 0
    system: str = ""
    agent_version: str = ""
    tallies: tuple[Tally, ...] = ()
    patches: tuple[InstalledPatch, ...] = ()
    answers: tuple[Answer, ...] = ()

    @property
    def facts(self) -> Facts:
        """What decisions go by."""
        return Facts(self.products, self.patches, self.answers)
