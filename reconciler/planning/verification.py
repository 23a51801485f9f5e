"""Says whether a release is verified in an environment, from what is on record of its hosts. Pure.

Verified means: every host that can be reached and should have the release has it, healthy, and has had it so for
the time to soak. Whatever fails meanwhile starts that time anew. Without a host that has it nothing is verified.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from reconciler.kernel.attempts import CHARGED, Attempt
from reconciler.kernel.convergence import Standing
from reconciler.kernel.status import Health, Reason, Sync

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))

_SILENCES = {
    Reason.NEVER_REPORTED: "it has never reported",
    Reason.HOST_SILENT: "it is silent",
}


class Witnessed(StrEnum):
    """What one host says for or against a release.

    ``AMISS`` means that it lacks the release, or has it and is not healthy; ``NOT_APPLICABLE`` that the release is
    not for it, which says nothing either way.
    """

    HEALTHY = "healthy"
    SOAKING = "soaking"
    AMISS = "amiss"
    UNREACHABLE = "unreachable"
    NOT_APPLICABLE = "notApplicable"


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that went wrong with a release on a host, at a time in seconds since the epoch."""

    at: float
    message: str


@dataclass(frozen=True, slots=True)
class Witness:
    """What is on record of a package on one host that should have the release in question.

    ``unreachable`` says why nothing certain is known of the host now, ``None`` where it can be reached.
    ``since`` is when it came to stand as it does with this release, ``None`` where that is not on record.
    ``attempts`` are those at the package, at other releases too; ``degraded`` tells when the package was found
    unhealthy though nothing was being tried. Times are in seconds since the epoch.
    """

    host: str
    standing: Standing
    unreachable: Reason | None = None
    since: float | None = None
    attempts: tuple[Attempt, ...] = ()
    degraded: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class HostEvidence:
    """What a host says. ``since`` is when its time began, ``None`` where it has none; ``message`` is a phrase."""

    host: str
    witnessed: Witnessed
    since: float | None
    failures: tuple[Failure, ...]
    message: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What the hosts of an environment say of a release. ``version`` is ``None`` for an absence.

    ``soak`` is the time asked for, in seconds; ``at`` when it was looked, in seconds since the epoch.
    """

    environment: str
    package: str
    version: str | None
    soak: float
    at: float
    hosts: tuple[HostEvidence, ...]

    @property
    def verified(self) -> bool:
        """Whether at least one host has been healthy for long enough, and none that counts has not."""
        return bool(self.having(Witnessed.HEALTHY)) and not self.having(Witnessed.SOAKING, Witnessed.AMISS)

    @property
    def since(self) -> float | None:
        """Since when every host that counts has had it, healthy; ``None`` where not all have."""
        starts = [host.since for host in self.having(Witnessed.HEALTHY, Witnessed.SOAKING)]
        told = [start for start in starts if start is not None]
        return max(told) if told and not self.having(Witnessed.AMISS) else None

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not verified, a sentence each; none where it is."""
        against = self.having(Witnessed.AMISS, Witnessed.SOAKING)
        if against:
            return tuple(f"{host.host}: {host.message}" for host in against)
        if self.having(Witnessed.HEALTHY):
            return ()
        if not self.hosts:
            return (f"{self.environment} has no host that should have it",)
        told = ", ".join(f"{host.host} ({host.message})" for host in self.hosts)
        return (f"no host of {self.environment} that can be reached has it: {told}",)

    def having(self, *witnessed: Witnessed) -> tuple[HostEvidence, ...]:
        """Return the hosts that say one of these."""
        return tuple(host for host in self.hosts if host.witnessed in witnessed)


def verify(
    release: tuple[str, str | None], environment: str, witnesses: Iterable[Witness], soak: float, now: float
) -> Verification:
    """Say whether a release is verified in an environment.

    Args:
        release: the package, and the version in question; ``None`` for its absence.
        environment: the environment's name.
        witnesses: every host of the environment that should have the release.
        soak: for how many seconds each must have had it, healthy.
        now: seconds since the epoch.
    """
    package, version = release
    hosts = tuple(_heard(witness, version, soak, now) for witness in witnesses)
    return Verification(environment, package, version, soak, now, hosts)


def span(seconds: float) -> str:
    """Return a time span for people, by its two largest units."""
    left = int(max(seconds, 0))
    parts: list[str] = []
    for name, size in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {name}")
        if len(parts) == 2 or (parts and not count):
            break
    return " ".join(parts) or "0 s"


def _heard(witness: Witness, version: str | None, soak: float, now: float) -> HostEvidence:
    standing, failures = witness.standing, _failures(witness, version)
    found: Witnessed
    start: float | None = None
    if witness.unreachable is not None:
        found, message = Witnessed.UNREACHABLE, _SILENCES.get(witness.unreachable, str(witness.unreachable))
    elif standing.reason is Reason.NOT_APPLICABLE and standing.sync is Sync.SYNCED:
        found, message = Witnessed.NOT_APPLICABLE, standing.message or "it is not for this host"
    elif standing.sync is not Sync.SYNCED or standing.health is not Health.HEALTHY or standing.wanted != version:
        words = f"{standing.sync}, {standing.health}, {standing.reason}"
        found, message = Witnessed.AMISS, f"{words}: {standing.message}" if standing.message else words
    elif witness.since is None:
        found, message = Witnessed.AMISS, "that it has it, healthy, is not on record yet"
    else:
        start = _start(witness.since, witness.attempts, failures)
        healthy = max(now - start, 0.0)
        found = Witnessed.HEALTHY if healthy >= soak else Witnessed.SOAKING
        message = f"healthy for {span(healthy)}" + (f" of {span(soak)}" if found is Witnessed.SOAKING else "")
        if failures:
            message += f", since it failed: {failures[-1].message}"
    return HostEvidence(witness.host, found, start, failures, message)


def _failures(witness: Witness, version: str | None) -> tuple[Failure, ...]:
    """Return what went wrong at this release, the oldest first."""
    tried = (
        Failure(attempt.ended_at, attempt.message or attempt.outcome.value)
        for attempt in witness.attempts
        if attempt.to_version == version and attempt.ended_at is not None and attempt.outcome in CHARGED
    )
    degraded = (Failure(failure.at, failure.message) for failure in witness.degraded)
    return tuple(sorted((*tried, *degraded), key=lambda failure: failure.at))


def _start(since: float, attempts: Iterable[Attempt], failures: Iterable[Failure]) -> float:
    """Return when the time began: nothing was tried since, whatever came of it, and nothing failed.

    A host may fail, mend and report once after both: its standing does not show that, its attempts do.
    """
    tried = (attempt.ended_at or attempt.started_at for attempt in attempts)
    return max((since, *tried, *(failure.at for failure in failures)))
