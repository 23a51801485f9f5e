"""Has a package tried afresh, on one host or on all of an environment: on record, and in force at once."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.kernel.attempts import Failure
from reconciler.kernel.convergence import Standing
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.observation import Observation
from reconciler.kernel.protocol import goal_fingerprint
from reconciler.kernel.retries import Retry
from reconciler.kernel.status import Reason
from reconciler.operations.desired import state_in_force
from reconciler.operations.fleet import known_hosts
from reconciler.operations.host import find_host
from reconciler.operations.trace import NotManaged
from reconciler.planning.hosts import KnownHost
from reconciler.planning.status import host_status
from reconciler.rollout.breaker import trials
from reconciler.rollout.retries import Retries
from reconciler.site import Site


class UnknownEnvironment(ReconcilerError):
    """An environment that the revision in force does not have."""

    reference = "unknown-environment"


class NothingToRetry(ReconcilerError):
    """A package that is as it should be wherever it was asked to be tried afresh."""

    reference = "nothing-to-retry"


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, and why; ``reason`` may be empty."""

    asked_by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Retried:
    """A retry as it was put on record, and the hosts that will try afresh."""

    retry: Retry
    hosts: tuple[str, ...]


def retry_host(site: Site, name: str, package: str, asking: Asking) -> Retried:
    """Have a package tried afresh on one host, even where its release is halted. Other hosts are not let go on.

    Args:
        site: the installation.
        name: the host's name, in any case.
        package: the package's name.
        asking: who asks, and why.

    Raises:
        UnknownHost: no file names the host and it has not enrolled.
        NotManaged: nothing is wanted of the package there.
        NothingToRetry: the package is as it should be.
        NothingInForce: no valid revision was seen yet.
    """
    host = find_host(site, name)
    goal = next((goal for goal in host.assignment.goals if goal.package == package), None)
    _require_due(site, package, (host,), host.name)
    assert goal is not None
    retry = Retry(
        number=0,
        at=site.clock(),
        asked_by=asking.asked_by,
        reason=asking.reason,
        package=package,
        environment=host.environment,
        host=host.name,
        goal=goal_fingerprint(goal),
        failure=_failure(site, host, package),
    )
    return Retried(site.retries.add(retry), (host.name,))


def retry_environment(site: Site, environment: str, package: str, asking: Asking) -> Retried:
    """Have a package tried afresh on every host of an environment that is not where it should be.

    What hosts failed at there so far counts no more: a release that was halted goes on everywhere.

    Args:
        site: the installation.
        environment: the environment's name.
        package: the package's name.
        asking: who asks, and why.

    Raises:
        UnknownEnvironment: there is no such environment.
        NotManaged: nothing is wanted of the package on any host there.
        NothingToRetry: the package is as it should be on all of them.
        NothingInForce: no valid revision was seen yet.
    """
    desired = state_in_force(site)
    if environment not in desired.environments:
        raise UnknownEnvironment(
            f"there is no environment {environment}", hint=f"there are: {', '.join(desired.environments)}"
        )
    hosts = tuple(host for host in known_hosts(site, desired) if host.environment == environment)
    due = _require_due(site, package, hosts, environment)
    retry = Retry(0, site.clock(), asking.asked_by, asking.reason, package, environment)
    return Retried(site.retries.add(retry), due)


def _require_due(site: Site, package: str, hosts: tuple[KnownHost, ...], where: str) -> tuple[str, ...]:
    """Return the hosts that are not where they should be with a package."""
    found = {host.name: standing for host in hosts if (standing := _standing(site, host, package)) is not None}
    if not found:
        raise NotManaged(
            f"nothing is wanted of {package} here",
            where=where,
            hint="reconciler status shows what is managed on each host",
        )
    due = tuple(
        name
        for name, standing in found.items()
        if standing.step is not None or standing.reason is Reason.NEVER_REPORTED
    )
    if not due:
        raise NothingToRetry(
            f"{package} is as it should be",
            where=where,
            hint="look at it with reconciler status; a step is tried afresh only where one is to be done",
        )
    return due


def _standing(site: Site, host: KnownHost, package: str) -> Standing | None:
    status = host_status(host, site.clock(), site.settings.silent_seconds)
    return next((standing for standing in status.packages if standing.package == package), None)


def _failure(site: Site, host: KnownHost, package: str) -> Failure | None:
    """Return what the host's tries so far came to: it is evidence until the host has tried again."""
    observed = host.observation or Observation()
    tried = trials(host.assignment, observed, Retries(site.retries.standing()), site.clock())
    return next((trial.failure for trial in tried if trial.goal.package == package), None)
