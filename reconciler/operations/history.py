"""Tells what happened, newest first: revisions seen, attempts made, standings changed, retries asked for."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.desired.repository import RepositoryError
from reconciler.kernel.attempts import Attempt
from reconciler.kernel.retries import Retry
from reconciler.operations.desired import InvalidRevision, state_in_force
from reconciler.site import Site
from reconciler.store.revisions import RevisionRecord
from reconciler.store.standings import Transition


@dataclass(frozen=True, slots=True)
class Happening:
    """One entry: exactly one of ``revision``, ``attempt``, ``transition`` and ``retry`` is set.

    ``at`` is in seconds since the epoch. ``host`` is empty for a revision and for a retry on all hosts.
    """

    at: float
    host: str = ""
    revision: RevisionRecord | None = None
    attempt: Attempt | None = None
    transition: Transition | None = None
    retry: Retry | None = None


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
    environment = _environment_of(site, name) if name is not None else None
    everything += [
        Happening(retry.at, retry.host, retry=retry)
        for retry in site.retries.newest(host=name, environment=environment, package=package, limit=limit)
    ]
    everything.sort(key=lambda happening: happening.at, reverse=True)
    return tuple(everything[:limit])


def _environment_of(site: Site, host: str) -> str | None:
    record = site.hosts.find(host)
    enrolled_into = record.environment if record is not None else None
    if site.revisions.in_force() is None:
        return enrolled_into
    try:
        return state_in_force(site).environment_of(host, enrolled_into)
    except (RepositoryError, InvalidRevision):
        return enrolled_into
