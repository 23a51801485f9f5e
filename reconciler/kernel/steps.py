"""Steps: one thing to do on a host, spelt out as the installer runs that it takes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reconciler.kernel.releases import Release


class StepKind(StrEnum):
    """What a step does to a package on a host."""

    INSTALL = "install"
    MINOR_UPDATE = "minorUpdate"
    MAJOR_UPGRADE = "majorUpgrade"
    REPLACE = "replace"
    ROLL_BACK = "rollBack"
    REMOVE = "remove"


class Verb(StrEnum):
    """What one run of the installer is asked to do."""

    INSTALL = "install"
    REINSTALL = "reinstall"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Action:
    """One run of the installer. ``release`` is ``None`` only where a product no catalog knows is removed."""

    verb: Verb
    product_code: str
    version: str
    release: Release | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do on a host.

    ``actions`` run in order, with a look at the host after each; when one fails, ``compensation`` puts back
    what ``actions`` had taken away. ``removes`` are the product codes that must be gone afterwards.
    """

    kind: StepKind
    package: str
    from_version: str | None
    to_version: str | None
    actions: tuple[Action, ...]
    compensation: tuple[Action, ...] = ()
    removes: tuple[str, ...] = ()

    @property
    def artifacts(self) -> tuple[Release, ...]:
        """The releases whose files must be on the host before the first action runs."""
        needed = [
            action.release
            for action in (*self.actions, *self.compensation)
            if action.release is not None and action.verb is not Verb.REMOVE
        ]
        return tuple(dict.fromkeys(needed))
