"""Says what carrying out a revision takes: the very steps that the hosts will choose, from the same function."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter

from reconciler.kernel.assignment import Assignment, Goal
from reconciler.kernel.convergence import Standing, converge
from reconciler.kernel.observation import InstalledProduct, Observation
from reconciler.kernel.releases import MsiRelease, PatchRelease, Release
from reconciler.kernel.status import Reason
from reconciler.kernel.steps import StepKind
from reconciler.planning.hosts import KnownHost, is_silent

_FACTS = attrgetter("product_code", "version", "package_code", "upgrade_code", "context", "state")
"""All of a product that convergence goes by."""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step that one host needs. ``fetch`` is the size in bytes of the artifacts it takes, and
    ``reboot_expected`` whether the catalog says that it is known to ask for a reboot.

    ``reason`` says whether it is due or what it waits for; ``message`` says more where more is known.
    """

    host: str
    environment: str
    package: str
    kind: StepKind
    from_version: str | None
    to_version: str | None
    fetch: int
    reason: Reason
    message: str = ""
    reboot_expected: bool = False


@dataclass(frozen=True, slots=True)
class UnknownHost:
    """A host of which nothing is certain: it never reported, or is silent and may have changed since."""

    host: str
    environment: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Plan:
    """What a revision takes, host by host, and which hosts it cannot tell about."""

    revision: str
    steps: tuple[PlannedStep, ...]
    unknown: tuple[UnknownHost, ...]
    hosts: int
    """How many hosts were looked at, whether or not they need anything."""


@dataclass(frozen=True, slots=True)
class StepGroup:
    """The same step on many hosts."""

    environment: str
    package: str
    kind: StepKind
    from_version: str | None
    to_version: str | None
    reason: Reason
    message: str
    fetch: int
    reboot_expected: bool
    hosts: tuple[str, ...]


def plan(revision: str, hosts: Iterable[KnownHost], now: float, silent_after: float) -> Plan:
    """Plan a revision.

    Args:
        revision: the commit that the hosts' assignments were made from.
        hosts: the hosts, with what they should have and what they last said.
        now: seconds since the epoch.
        silent_after: seconds without a word after which a host counts as silent: its steps are those that it would
            take by what it last said.
    """
    judge = _Judge(now)
    steps: list[PlannedStep] = []
    unknown: list[UnknownHost] = []
    count = 0
    for host in hosts:
        count += 1
        if host.observation is None:
            unknown.append(UnknownHost(host.name, host.environment, Reason.NEVER_REPORTED))
            continue
        silent = is_silent(host, now, silent_after)
        if silent:
            unknown.append(UnknownHost(host.name, host.environment, Reason.HOST_SILENT))
        for standing in judge.due(host.assignment, host.observation):
            step = standing.step
            assert step is not None
            steps.append(
                PlannedStep(
                    host.name,
                    host.environment,
                    step.package,
                    step.kind,
                    step.from_version,
                    step.to_version,
                    sum(file.size for release in step.artifacts for file in release.artifacts),
                    Reason.HOST_SILENT if silent and standing.ready else standing.reason,
                    standing.message,
                    any(release.reboot_expected for release in step.artifacts),
                )
            )
    return Plan(revision, tuple(steps), tuple(unknown), count)


class _Judge:
    """Finds what is due on hosts, once for all that have the same and should have the same: fleets are alike.

    Hosts that have something of their own besides products (failed tries, a reboot to come) are judged alone.
    """

    def __init__(self, now: float) -> None:
        self._now = now
        self._found: dict[object, tuple[object, tuple[Standing, ...]]] = {}
        self._codes: dict[int, tuple[object, frozenset[str]]] = {}

    def due(self, assignment: Assignment, observed: Observation) -> tuple[Standing, ...]:
        """Return the standings that ask for a step."""
        if observed.tallies or observed.reboot_pending or observed.reboot_asked_by:
            return self._converge(assignment, observed)
        key = (
            id(assignment.goals),
            assignment.hold,
            self._managed_facts(assignment.goals, observed.products),
            observed.patches,
            observed.answers,
        )
        found = self._found.get(key)
        if found is None:
            # The goals are kept beside: while they live, no others can have their id.
            found = self._found[key] = (assignment.goals, self._converge(assignment, observed))
        return found[1]

    def _managed_facts(self, goals: tuple[Goal, ...], products: tuple[InstalledProduct, ...]) -> object:
        """Return what is installed of the goals' families. What else a host has is its own, and plays no part."""
        known = self._codes.get(id(goals))
        if known is None:
            codes = {goal.upgrade_code for goal in goals}
            codes |= {code for goal in goals for release in goal.releases for code in _codes_of(release)}
            known = self._codes[id(goals)] = (goals, frozenset(codes))
        codes_of = known[1]
        return tuple([_FACTS(p) for p in products if p.upgrade_code in codes_of or p.product_code in codes_of])

    def _converge(self, assignment: Assignment, observed: Observation) -> tuple[Standing, ...]:
        standings = converge(assignment, observed, self._now).standings
        return tuple(standing for standing in standings if standing.step is not None)


def _codes_of(release: Release) -> tuple[str, ...]:
    """Return the codes of the products that a release is, or is for."""
    if isinstance(release, MsiRelease):
        return (release.product_code,)
    return release.targets if isinstance(release, PatchRelease) else ()


def group(steps: Iterable[PlannedStep]) -> tuple[StepGroup, ...]:
    """Put steps that are alike together, so that 400 hosts doing the same make one line."""
    groups: dict[tuple[object, ...], list[PlannedStep]] = {}
    for step in steps:
        key = (
            step.environment,
            step.package,
            step.kind,
            step.from_version or "",
            step.to_version or "",
            step.reason,
            step.message,
            step.reboot_expected,
        )
        groups.setdefault(key, []).append(step)
    return tuple(
        StepGroup(
            alike[0].environment,
            alike[0].package,
            alike[0].kind,
            alike[0].from_version,
            alike[0].to_version,
            alike[0].reason,
            alike[0].message,
            sum(step.fetch for step in alike),
            alike[0].reboot_expected,
            tuple(step.host for step in alike),
        )
        for _, alike in sorted(groups.items())
    )
