"""Brings together what is known of every host, and gives each what it should have."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache

from reconciler.desired.model import DesiredState
from reconciler.hosts.roster import Member, Roster
from reconciler.kernel.assignment import Assignment
from reconciler.kernel.kinds import find_packages
from reconciler.kernel.observation import Observation
from reconciler.planning.hosts import KnownHost
from reconciler.rollout.assignments import Assigned, Assigner
from reconciler.rollout.guards import GuardedHost, held_removals
from reconciler.site import Site
from reconciler.store.hosts import Assigned as AssignedRecord
from reconciler.store.hosts import HostOutline, HostRecord


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
    assigned = _assignments(desired, tuple(outlines.values()), site.managed.all(), lambda: observed)
    known = [_known(item, enrolled.get(name)) for name, item in assigned.items()]
    return tuple(sorted(known, key=lambda host: (host.environment, host.name)))


def assign_all(site: Site, roster: Roster, desired: DesiredState) -> None:
    """Give every enrolled host what it should have by ``desired``, on record and then in memory."""
    observed = cache(site.hosts.observations)
    managed = site.managed.all()
    assigned = _assignments(desired, site.hosts.outlines(), managed, observed)
    site.hosts.record_assigned(
        (AssignedRecord(name, item.digest, desired.revision) for name, item in assigned.items()), site.clock()
    )
    site.managed.replace(
        {
            name: packages
            for name, item in assigned.items()
            if (packages := _still_managed(item.assignment, observed)) != managed.get(name, frozenset())
        }
    )
    roster.assign({name: (item.assignment, item.digest) for name, item in assigned.items()})


def known_host(member: Member, record: HostRecord) -> KnownHost:
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
    )


def _assignments(
    desired: DesiredState,
    hosts: Collection[HostOutline],
    managed: Mapping[str, frozenset[str]],
    observed: Callable[[], Mapping[str, Observation]],
) -> dict[str, Assigned]:
    """Work out what hosts should have: all at once, since removals are counted over an environment.

    ``observed`` is called only where something is to be removed: reading every report takes its time.
    """
    assigner = Assigner(desired)
    drafts = {h.name: assigner.assign(h.name, h.environment or None, managed.get(h.name, ())) for h in hosts}
    if not any(goal.target is None for item in drafts.values() for goal in item.assignment.goals):
        return drafts
    confirmed = frozenset(
        (environment.name, package)
        for environment in desired.environments.values()
        for package in environment.confirm
    )
    reports = observed()
    guarded = (GuardedHost(item.assignment, reports.get(name)) for name, item in drafts.items())
    held = held_removals(guarded, desired.removal_share, confirmed)
    return {h.name: assigner.hold_back(drafts[h.name], held, reported=h.reported) for h in hosts}


def _still_managed(assignment: Assignment, observed: Callable[[], Mapping[str, Observation]]) -> frozenset[str]:
    """Return what may be pruned later: all that is asked for, but what was to go and is gone."""
    absent = [goal for goal in assignment.goals if goal.target is None]
    gone: set[str] = set()
    if absent and (said := observed().get(assignment.host)) is not None:
        gone = {package for package, found in find_packages(absent, said.facts).items() if found.step is None}
    return frozenset(goal.package for goal in assignment.goals if goal.package not in gone)


def _known(assigned: Assigned, record: HostRecord | None) -> KnownHost:
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
    )
