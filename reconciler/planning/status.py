"""Tells where a host and its packages stand, in words from a closed set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reconciler.kernel.convergence import Standing, converge
from reconciler.kernel.status import Health, Reason, Sync
from reconciler.planning.hosts import KnownHost, is_silent

_WORST_FIRST = (
    Health.DEGRADED,
    Health.UNKNOWN,
    Health.SUSPENDED,
    Health.MISSING,
    Health.PROGRESSING,
    Health.HEALTHY,
)


@dataclass(frozen=True, slots=True)
class HostStatus:
    """Where a host stands, and each of its packages. ``message`` says why in a sentence, where more is known."""

    host: str
    environment: str
    sync: Sync
    health: Health
    reason: Reason
    message: str
    packages: tuple[Standing, ...]


def host_status(host: KnownHost, now: float, silent_after: float) -> HostStatus:
    """Judge a host by what it should have and what it last said.

    Args:
        host: what is known of it.
        now: seconds since the epoch.
        silent_after: seconds without a word after which a host counts as silent.
    """
    status = _judged(host, now, silent_after)
    if host.alarm is None:
        return status
    return replace(status, health=Health.DEGRADED, reason=host.alarm.reason, message=host.alarm.message)


def _judged(host: KnownHost, now: float, silent_after: float) -> HostStatus:
    if host.observation is None:
        said = "it has not enrolled" if host.last_seen is None else "it has enrolled but not reported yet"
        said = host.trouble or said
        packages = tuple(
            Standing(
                goal.package,
                Sync.UNKNOWN,
                Health.UNKNOWN,
                Reason.NEVER_REPORTED,
                None,
                goal.target.version if goal.target else None,
            )
            for goal in host.assignment.goals
        )
        return _status(host, Sync.UNKNOWN, Health.UNKNOWN, Reason.NEVER_REPORTED, said, packages)

    standings = converge(host.assignment, host.observation, now).standings
    packages = tuple(_as_seen_from_here(standing, host) for standing in standings)
    if is_silent(host, now, silent_after):
        quiet = f"nothing was heard of it for {int(now - (host.last_seen or 0))} s; this is what it last said"
        quiet = f"{host.trouble}; {quiet}" if host.trouble else quiet
        return _status(host, Sync.UNKNOWN, Health.UNKNOWN, Reason.HOST_SILENT, quiet, packages)
    return _summed_up(host, packages)


def _as_seen_from_here(standing: Standing, host: KnownHost) -> Standing:
    """Say what is under way: the agent runs the step, or has yet to fetch the assignment that asks for it."""
    if standing.step is None:
        return standing
    if host.busy == standing.package:
        return replace(standing, reason=Reason.STEP_RUNNING, health=_at_work(standing.health))
    if host.acknowledged != host.assigned and standing.reason is Reason.STEP_DUE:
        return replace(standing, reason=Reason.AWAITING_AGENT)
    return standing


def _at_work(health: Health) -> Health:
    return health if health is Health.DEGRADED else Health.PROGRESSING


def _summed_up(host: KnownHost, packages: Sequence[Standing]) -> HostStatus:
    if not packages:
        return _status(host, Sync.SYNCED, Health.HEALTHY, Reason.UP_TO_DATE, "nothing is asked of it", ())
    worst = min(packages, key=lambda standing: _WORST_FIRST.index(standing.health))
    sync = Sync.SYNCED if all(s.sync is Sync.SYNCED for s in packages) else Sync.OUT_OF_SYNC
    message = f"{worst.package}: {worst.message}" if worst.message else ""
    return _status(host, sync, worst.health, worst.reason, message, tuple(packages))


def _status(
    host: KnownHost, sync: Sync, health: Health, reason: Reason, message: str, packages: tuple[Standing, ...]
) -> HostStatus:
    return HostStatus(host.name, host.environment, sync, health, reason, message, packages)
