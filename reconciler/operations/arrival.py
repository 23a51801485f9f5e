"""Tells how far a published release has come: which hosts of its environment have it, and which failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from reconciler.desired.model import DesiredState
from reconciler.desired.repository import GitRepository, RepositoryError
from reconciler.kernel.convergence import Standing
from reconciler.kernel.status import Health, Reason, Sync
from reconciler.operations.desired import mirror_of, state_in_force
from reconciler.operations.fleet import known_hosts
from reconciler.operations.publish import Published
from reconciler.planning.hosts import KnownHost
from reconciler.planning.status import host_status
from reconciler.site import Site
from reconciler.store.revisions import Verdict

LOOK_SECONDS = 0.5
"""Seconds between two looks."""


class ArrivalState(StrEnum):
    """How far it has come."""

    NOT_IN_FORCE = "notInForce"
    ON_ITS_WAY = "onItsWay"
    SYNCED = "synced"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    TIMED_OUT = "timedOut"


@dataclass(frozen=True, slots=True)
class HostArrival:
    """A host that does not have the release yet, and why."""

    host: str
    health: Health
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """One look. ``hosts`` is how many should have the release, ``arrived`` how many do.

    ``missing`` lists the others; of those that are degraded alone where the state is FAILED. ``message`` says
    more where more is known.
    """

    state: ArrivalState
    hosts: int
    arrived: int
    missing: tuple[HostArrival, ...]
    message: str = ""

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.state not in (ArrivalState.NOT_IN_FORCE, ArrivalState.ON_ITS_WAY)


def await_arrival(
    site: Site, published: Published, timeout: float, pause: Callable[[float], None] = time.sleep
) -> Iterator[Arrival]:
    """Yield how far a release has come whenever that changes, until it has arrived, failed, or time is up.

    Args:
        site: the installation, which a daemon serves.
        published: what was published.
        timeout: seconds to wait at the most.
        pause: waits some seconds.

    Raises:
        RepositoryError: the mirror cannot be read.
    """
    look = _Look(site, published)
    deadline = site.clock() + timeout
    last: Arrival | None = None
    while True:
        now = look.take()
        if not now.ended and site.clock() >= deadline:
            now = Arrival(ArrivalState.TIMED_OUT, now.hosts, now.arrived, now.missing, now.message)
        if now != last:
            yield now
        if now.ended:
            return
        last = now
        pause(LOOK_SECONDS)


class _Look:
    """Looks at the store again and again; what a commit says is read only once."""

    def __init__(self, site: Site, published: Published) -> None:
        self._site = site
        self._published = published
        self._mirror = mirror_of(site)
        self._desired: DesiredState | None = None

    def take(self) -> Arrival:
        site, published = self._site, self._published
        record = site.revisions.find(published.commit)
        if record is not None and record.verdict is Verdict.INVALID:
            return Arrival(ArrivalState.FAILED, 0, 0, (), "the daemon rejects the commit: see reconciler status")
        in_force = site.revisions.in_force()
        if in_force is None or not _builds_on(self._mirror, published.commit, in_force):
            message = f"commit {published.commit[:10]} is not in force yet"
            return Arrival(ArrivalState.NOT_IN_FORCE, 0, 0, (), message)
        if self._desired is None or self._desired.revision != in_force:
            self._desired = state_in_force(site)
        return self._hosts(self._desired)

    def _hosts(self, desired: DesiredState) -> Arrival:
        site, published = self._site, self._published
        if desired.versions_of(published.environment).get(published.package) != published.release.version:
            message = f"commit {desired.revision[:10]} asks for another version"
            return Arrival(ArrivalState.SUPERSEDED, 0, 0, (), message)
        standings = [
            (host, standing)
            for host in known_hosts(site, desired)
            if host.environment == published.environment and _is_meant(host, published)
            if (standing := self._standing(host)) is not None
        ]
        missing = tuple(
            HostArrival(host.name, standing.health, standing.reason, standing.message)
            for host, standing in standings
            if standing.sync is not Sync.SYNCED
        )
        failed = tuple(item for item in missing if item.health is Health.DEGRADED)
        state = ArrivalState.ON_ITS_WAY if missing else ArrivalState.SYNCED
        if failed:
            state = ArrivalState.FAILED
        return Arrival(state, len(standings), len(standings) - len(missing), failed or missing)

    def _standing(self, host: KnownHost) -> Standing | None:
        status = host_status(host, self._site.clock(), self._site.settings.silent_seconds)
        return next((s for s in status.packages if s.package == self._published.package), None)


def _is_meant(host: KnownHost, published: Published) -> bool:
    """Return whether a host should have the release: it may have a version of its own."""
    return any(
        goal.package == published.package
        and goal.target is not None
        and goal.target.version == published.release.version
        for goal in host.assignment.goals
    )


def _builds_on(mirror: GitRepository, older: str, newer: str) -> bool:
    try:
        return mirror.is_ancestor(older, newer)
    except RepositoryError:
        return False
