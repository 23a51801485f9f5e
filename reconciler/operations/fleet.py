"""Brings together what is known of every host: from the desired state, from enrolment, from reports."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.desired.model import DesiredState
from reconciler.hosts.roster import Member, Roster
from reconciler.kernel.assignment import Assignment
from reconciler.kernel.protocol import assignment_digest
from reconciler.planning.hosts import KnownHost
from reconciler.rollout.assignments import Assigned, Assigner
from reconciler.site import Site
from reconciler.store.hosts import Assigned as AssignedRecord
from reconciler.store.hosts import HostRecord


def known_hosts(site: Site, desired: DesiredState) -> tuple[KnownHost, ...]:
    """Return every host that a file names or that has enrolled, by environment and name.

    Args:
        site: the installation.
        desired: the state by which to say what each should have.
    """
    assigner = Assigner(desired)
    enrolled = {record.name: record for record in site.hosts.all()}
    named = {name.upper(): host.environment for name, host in desired.hosts.items()}
    known = [_known(name, enrolled.get(name), assigner) for name in sorted(enrolled.keys() | named.keys())]
    return tuple(sorted(known, key=lambda host: (host.environment, host.name)))


def assign(site: Site, roster: Roster, desired: DesiredState, members: Iterable[Member]) -> None:
    """Give hosts what they should have by ``desired``, on record and then in memory.

    Args:
        site: the installation.
        roster: the enrolled hosts.
        desired: the state in force.
        members: those of the roster to give to.
    """
    assigner = Assigner(desired)
    assigned = {member.name: _assign(assigner, member.name, member.enrolled_into) for member in members}
    site.hosts.record_assigned(
        (AssignedRecord(name, item.digest, desired.revision) for name, item in assigned.items()), site.clock()
    )
    roster.assign(
        {
            name: (item.assignment.environment, item.digest, desired.revision, item.assignment.goals)
            for name, item in assigned.items()
        }
    )


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


def _known(name: str, record: HostRecord | None, assigner: Assigner) -> KnownHost:
    assigned = _assign(assigner, name, record.environment if record else None)
    if record is None:
        return KnownHost(name, assigned.assignment.environment, assigned.assignment, assigned.digest)
    return KnownHost(
        name,
        assigned.assignment.environment,
        assigned.assignment,
        assigned.digest,
        record.acknowledged,
        record.observation,
        record.last_seen,
        record.busy,
    )


def _assign(assigner: Assigner, name: str, enrolled_into: str | None) -> Assigned:
    """Assign nothing to a host whose environment is gone: what it has stays as it is."""
    assigned = assigner.assign(name, enrolled_into)
    if assigned is None:
        nothing = Assignment(name, enrolled_into or "", assigner.revision)
        assigned = Assigned(nothing, assignment_digest(nothing))
    return assigned
