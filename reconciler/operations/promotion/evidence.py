"""Gathers what is on record of a release on the hosts of an environment, and has it judged."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.kernel.attempts import Attempt
from reconciler.kernel.status import Health, Reason, Sync
from reconciler.planning.hosts import KnownHost
from reconciler.planning.status import host_status
from reconciler.planning.verification import Failure, Verification, Witness, verify
from reconciler.site import Site
from reconciler.store.standings import KeptStanding, Transition

_SILENCES = (Reason.NEVER_REPORTED, Reason.HOST_SILENT)


def verification(
    site: Site, hosts: Iterable[KnownHost], environment: str, release: tuple[str, str | None], soak: float
) -> Verification:
    """Say whether a release is verified in an environment. Changes nothing.

    Args:
        site: the installation.
        hosts: all hosts, by the desired state in question. Those with a version of their own do not count.
        environment: the environment's name.
        release: the package, and the version in question; ``None`` for its absence.
        soak: for how many seconds each host must have had it, healthy.
    """
    package, version = release
    now = site.clock()
    kept = site.standings.of_package(package)
    attempts = site.attempts.of_package(package)
    degraded: dict[str, list[Transition]] = {}
    for transition in site.standings.degradations(package, Reason.CHECK_FAILED):
        degraded.setdefault(transition.host, []).append(transition)
    witnesses: list[Witness] = []
    for host in hosts:
        if host.environment != environment or not _is_meant(host, package, version):
            continue
        status = host_status(host, now, site.settings.silent_seconds)
        standing = next(standing for standing in status.packages if standing.package == package)
        tried = attempts.get(host.name, ())
        witnesses.append(
            Witness(
                host.name,
                standing,
                status.reason if status.sync is Sync.UNKNOWN and status.reason in _SILENCES else None,
                _since(kept.get(host.name), version),
                tried,
                _failures(degraded.get(host.name, ()), tried, version),
            )
        )
    return verify(release, environment, witnesses, soak, now)


def _is_meant(host: KnownHost, package: str, version: str | None) -> bool:
    return any(
        goal.package == package and (goal.target.version if goal.target is not None else None) == version
        for goal in host.assignment.goals
    )


def _since(kept: KeptStanding | None, version: str | None) -> float | None:
    """Return since when a package is on record as in order with this version; ``None`` where it is not."""
    if kept is None or kept.wanted != version:
        return None
    return kept.since if (kept.sync, kept.health) == (Sync.SYNCED, Health.HEALTHY) else None


def _failures(
    degraded: Iterable[Transition], attempts: Iterable[Attempt], version: str | None
) -> tuple[Failure, ...]:
    """Return when checks failed since the release was first tried: before, they told of another one."""
    first = min((attempt.started_at for attempt in attempts if attempt.to_version == version), default=None)
    if first is None:
        return ()
    return tuple(Failure(found.at, found.message) for found in degraded if found.at >= first)
