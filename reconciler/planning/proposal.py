"""A promotion to be reviewed: which versions go where, by what evidence, and what merging it does. Pure data."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.approval.needs import Need
from reconciler.planning.changes import WishChange
from reconciler.planning.comparison import ReleaseNote
from reconciler.planning.plan import Plan
from reconciler.planning.verification import Verification

MOST_NAMED = 3
"""How many packages a title names before it counts them."""


@dataclass(frozen=True, slots=True)
class Promoted:
    """A package that is promoted. ``before`` and ``after`` are as files write them; ``None`` where none is."""

    package: str
    before: str | None
    after: str
    verification: Verification


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A package whose version differs upstream and that is not promoted, and why."""

    package: str
    before: str | None
    after: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reviewers:
    """A group that owns what is changed, and its members."""

    group: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A promotion from the environment ``source`` to ``target``.

    ``waiver`` is why something goes on without being verified, empty where all is. ``changes``, ``notes`` and
    ``plan`` tell of the promoted packages alone.
    """

    source: str
    target: str
    promoted: tuple[Promoted, ...]
    waiver: str
    changes: tuple[WishChange, ...]
    notes: tuple[ReleaseNote, ...]
    plan: Plan
    reviewers: tuple[Reviewers, ...]
    needs: tuple[Need, ...] = ()

    @property
    def title(self) -> str:
        """The proposal in one line."""
        return title_of(self.target, [(item.package, item.after) for item in self.promoted], self.waiver)


def title_of(target: str, versions: list[tuple[str, str]], waiver: str) -> str:
    """Return a proposal in one line.

    Args:
        target: the environment that gets the versions.
        versions: the packages with their new versions.
        waiver: why something goes on without being verified; empty where all is.
    """
    named = ", ".join(f"{package} {version}" for package, version in versions)
    what = named if len(versions) <= MOST_NAMED else f"{len(versions)} packages"
    return f"{target}: {what}" + (f" (UNVERIFIED: {waiver})" if waiver else "")
