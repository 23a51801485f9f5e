"""Tells what happened, newest first: revisions seen, attempts made, standings changed."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.kernel.attempts import Attempt
from reconciler.site import Site
from reconciler.store.revisions import RevisionRecord
from reconciler.store.standings import Transition


@dataclass(frozen=True, slots=True)
class Happening:
    """One entry: exactly one of ``revision``, ``attempt`` and ``transition`` is set.

    ``at`` is in seconds since the epoch. ``host`` is empty for a revision.
    """

    at: float
    host: str = ""
    revision: RevisionRecord | None = None
    attempt: Attempt | None = None
    transition: Transition | None = None


def history(
    site: Site, *, host: str | None = None, package: str | None = None, limit: int = 50
) -> tuple[Happening, ...]:
    """Return what happened, the newest first.

    Args:
        site: the installation.
        host: only what concerns this host, in any case; revisions are then left out.
        package: only what concerns this package; revisions are then left out.
        limit: how many entries at most.
    """
    name = host.upper() if host is not None else None
    everything: list[Happening] = []
    if host is None and package is None:
        everything += [Happening(record.seen_at, revision=record) for record in site.revisions.newest(limit)]
    everything += [
        Happening(record.attempt.ended_at or record.attempt.started_at, record.host, attempt=record.attempt)
        for record in site.attempts.newest(host=name, package=package, limit=limit)
    ]
    everything += [
        Happening(transition.at, transition.host, transition=transition)
        for transition in site.standings.transitions(host=name, package=package, limit=limit)
    ]
    everything.sort(key=lambda happening: happening.at, reverse=True)
    return tuple(everything[:limit])
