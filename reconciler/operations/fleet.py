"""Brings together what is known of every host, and gives each what it should have."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from reconciler.desired.model import DesiredState
from reconciler.hosts.roster import Member, Roster
from reconciler.kernel.assignment import Assignment
from reconciler.kernel.kinds import find_packages
from reconciler.kernel.observation import Observation
from reconciler.operations.identity import alarms
from reconciler.planning.hosts import Alarm, KnownHost
from reconciler.rollout.assignments import Assigned, Assigner
from reconciler.rollout.breaker import Trial, find_halts, trials
from reconciler.rollout.guards import GuardedHost, Held, held_removals
from reconciler.rollout.retries import Retries
from reconciler.site import Site
from reconciler.store.hosts import Assigned as AssignedRecord
from reconciler.store.hosts import HostOutline, HostRecord

Reports = Callable[[frozenset[str] | None], Mapping[str, Observation]]
"""Gives what at least these hosts last said, by name; all where it is given none."""


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What assignments depend on besides the desired state. Reports are read only where they are needed."""

    managed: Mapping[str, frozenset[str]]
    failing: frozenset[str]
    retries: Retries
    reports: Reports
    now: float


def known_hosts(site: Site, desired: DesiredState) -> tuple[KnownHost, ...]:
    """Return every host that a file names or that has enrolled, by environment and name.

    Args:
        site: the installation.
        desired: the state by which to say what each should have.
    """
    enrolled = {record.name: record for record in site.hosts.all()}
    outlines = {name: HostOutline(name, "", False) for name in (host.upper() for host in desired.hosts)}
    outlines |= {r.name: HostOutline(r.name, r.environment, r.observation is not None) for r in enrolled.values()}
    observed = {record.name: record.observation for record in enrolled.values() if record.observation is not None}
    assigned = _assignments(desired, tuple(outlines.values()), _evidence(site, lambda _names: observed))
    in_doubt = alarms(site)
    known = [_known(item, enrolled.get(name), in_doubt.get(name)) for name, item in assigned.items()]
    return tuple(sorted(known, key=lambda host: (host.environment, host.name)))


def assign_all(site: Site, roster: Roster, desired: DesiredState) -> None:
    """Give every enrolled host what it should have by ``desired``, on record and then in memory."""
    evidence = _evidence(site, cache(site.hosts.observations))
    assigned = _assignments(desired, site.hosts.outlines(), evidence)
    site.hosts.record_assigned(
        (AssignedRecord(name, item.digest, item.assignment.revision) for name, item in assigned.items()),
        evidence.now,
    )
    site.managed.replace(
        {
            name: packages
            for name, item in assigned.items()
            if (packages := _still_managed(item.assignment, evidence.reports))
            != evidence.managed.get(name, frozenset())
        }
    )
    roster.assign({name: (item.assignment, item.digest) for name, item in assigned.items()})


def known_host(member: Member, record: HostRecord, alarm: Alarm | None = None) -> KnownHost:
    """Return what is known of an enrolled host, with its assignment as the roster holds it."""
    assignment = member.assignment or Assignment(member.name, member.environment, "")
    return KnownHost(
        member.name,
        member.environment,
        assignment,
        member.assigned,
        record.acknowledged,
        record.observation,
        member.last_seen,
        member.busy,
        record.trouble,
        alarm,
    )


def _evidence(site: Site, reports: Reports) -> _Evidence:
    retries = Retries(site.retries.standing())
    return _Evidence(site.managed.all(), site.hosts.failing(), retries, reports, site.clock())


def _assignments(
    desired: DesiredState, hosts: Collection[HostOutline], evidence: _Evidence
) -> dict[str, Assigned]:
    """Work out what hosts should have: all at once, since removals and failures are counted over environments."""
    assigner = Assigner(desired, evidence.retries)
    managed = evidence.managed
    drafts = {h.name: assigner.assign(h.name, h.environment or None, managed.get(h.name, ())) for h in hosts}
    if any(goal.target is None for item in drafts.values() for goal in item.assignment.goals):
        enrolled = [host.name for host in hosts if host.environment]
        held = _held_removals(desired, drafts, enrolled, evidence.reports(None))
        drafts = {h.name: assigner.hold_back(drafts[h.name], held, reported=h.reported) for h in hosts}
    tried = _trials(drafts, evidence)
    halt_after = {environment.name: environment.halt_after for environment in desired.environments.values()}
    halts = find_halts((trial for found in tried.values() for trial in found), halt_after)
    if not halts:
        return drafts
    packages = {name: frozenset(trial.goal.package for trial in found) for name, found in tried.items()}
    return {name: assigner.halt(item, halts, packages.get(name, frozenset())) for name, item in drafts.items()}


def _held_removals(
    desired: DesiredState,
    drafts: Mapping[str, Assigned],
    enrolled: Iterable[str],
    reports: Mapping[str, Observation],
) -> Held:
    confirmed = frozenset(
        (environment.name, package)
        for environment in desired.environments.values()
        for package in environment.confirm
    )
    # A host that has never enrolled has nothing to lose, and must not make others look fewer.
    guarded = (GuardedHost(drafts[name].assignment, reports.get(name)) for name in enrolled)
    shares = {name: desired.of(name).removal_share for name in desired.environments}
    return held_removals(guarded, shares, confirmed)


def _trials(drafts: Mapping[str, Assigned], evidence: _Evidence) -> dict[str, tuple[Trial, ...]]:
    told = {
        n for n in evidence.retries.hosts.intersection(drafts) if evidence.retries.concern(drafts[n].assignment)
    }
    names = evidence.failing.intersection(drafts) | told
    if not names:
        return {}
    reports = evidence.reports(names)
    nothing = Observation()
    return {
        name: trials(drafts[name].assignment, reports.get(name, nothing), evidence.retries, evidence.now)
        for name in names
    }


def _still_managed(assignment: Assignment, reports: Reports) -> frozenset[str]:
    """Return what may be pruned later: all that is asked for, but what was to go and is gone."""
    absent = [goal for goal in assignment.goals if goal.target is None]
    gone: set[str] = set()
    if absent and (said := reports(None).get(assignment.host)) is not None:
        gone = {package for package, found in find_packages(absent, said.facts).items() if found.step is None}
    return frozenset(goal.package for goal in assignment.goals if goal.package not in gone)


def _known(assigned: Assigned, record: HostRecord | None, alarm: Alarm | None) -> KnownHost:
    assignment = assigned.assignment
    if record is None:
        return KnownHost(assignment.host, assignment.environment, assignment, assigned.digest)
    return KnownHost(
        assignment.host,
        assignment.environment,
        assignment,
        assigned.digest,
        record.acknowledged,
        record.observation,
        record.last_seen,
        record.busy,
        record.trouble,
        alarm,
    )
