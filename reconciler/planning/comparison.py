"""A revision held against another: how their wishes differ, and what carrying the newer one out takes."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.approval.effects import Effect
from reconciler.approval.needs import Need
from reconciler.planning.changes import WishChange
from reconciler.planning.plan import Plan


@dataclass(frozen=True, slots=True)
class ReleaseNote:
    """What the catalog says of a release that a change brings in or passes over."""

    package: str
    version: str
    issue: str | None
    notes: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a revision would do.

    ``base`` is the revision it is held against, ``None`` where there is none yet. ``plan`` is ``None`` where
    nothing was observed, because there is no installation to ask. ``needs`` says whose approval it takes.
    ``effects`` are the entries of all environments that would newly take effect, whoever wrote them.
    """

    base: str | None
    revision: str
    changes: tuple[WishChange, ...]
    plan: Plan | None
    notes: tuple[ReleaseNote, ...] = ()
    needs: tuple[Need, ...] = ()
    effects: tuple[Effect, ...] = ()

    @property
    def something_to_do(self) -> bool:
        """Whether merging it does anything: by what hosts have where that is known, else by what is wanted."""
        return bool(self.plan.steps) if self.plan is not None else bool(self.changes)
