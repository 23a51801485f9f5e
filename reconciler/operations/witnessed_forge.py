"""Asks a forge, and keeps on record what it says of changes while they are open: later it may not say it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from reconciler.approval.evidence import Change, CheckState
from reconciler.approval.forge import Forge, OpenChange
from reconciler.approval.sightings import recall, see
from reconciler.store.sightings import SightingStore


class WitnessedForge:
    """A forge with a memory. Implements `reconciler.approval.forge.Forge`.

    Args:
        forge: the forge.
        project: names the project at the forge: what was seen of another one is not this one's.
        sightings: where what was seen is kept.
        clock: gives seconds since the epoch.
    """

    def __init__(self, forge: Forge, project: str, sightings: SightingStore, clock: Callable[[], float]) -> None:
        self._forge = forge
        self._project = project
        self._sightings = sightings
        self._clock = clock

    def merged_change(self, commit: str) -> Change | None:
        """Return the change by which a commit came in, with what was seen of it before."""
        change = self._forge.merged_change(commit)
        return self._witness(change) if change is not None else None

    def open_changes(self) -> tuple[OpenChange, ...]:
        """Return the changes that wait to be merged, each with what was seen of it before."""
        return tuple(replace(opened, change=self._witness(opened.change)) for opened in self._forge.open_changes())

    def propose(self, branch: str, title: str, body: str) -> OpenChange:
        """Open a change, or give the one that is open its title and description."""
        return self._forge.propose(branch, title, body)

    def set_status(self, commit: str, context: str, state: CheckState, text: str) -> None:
        """Show a status at a commit."""
        self._forge.set_status(commit, context, state, text)

    def comment(self, number: int, marker: str, body: str) -> None:
        """Keep one comment on a change up to date."""
        self._forge.comment(number, marker, body)

    def _witness(self, change: Change) -> Change:
        now = self._clock()
        before = self._sightings.seen(self._project, change.name)
        seen = see(before, change)
        if seen != before:
            self._sightings.keep(self._project, change.name, seen, now)
        pins = self._sightings.pins(self._project, change.accounts, now)
        return replace(recall(seen, change), pins=pins)
