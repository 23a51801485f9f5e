"""Finds what is new to tell of approvals: what waits, what was approved, what passed without."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from reconciler.approval.admission import Admission, AdmissionState, Decision
from reconciler.approval.evidence import Change
from reconciler.approval.needs import Need
from reconciler.desired.model import DesiredState
from reconciler.desired.notifications import Topic
from reconciler.desired.people import Identity, People, fold
from reconciler.desired.repository import GitRepository, RepositoryError
from reconciler.notices.notice import Notice, Phase
from reconciler.notices.situations import Situation
from reconciler.site import Site
from reconciler.store.audit import Happened

MOST_REMINDERS = 3
"""How often a request is told again. Whoever has not answered by then does not read it."""


@dataclass(frozen=True, slots=True)
class Request:
    """A change that waits: what it needs, and ``missing``, why that is not there yet."""

    change: Change
    needs: tuple[Need, ...]
    missing: tuple[str, ...]


def of_admissions(site: Site, mirror: GitRepository) -> Iterator[Situation]:
    """Yield the environments that stay where they are."""
    for record in site.approvals.admissions().values():
        item = record.admission
        if item.state in (AdmissionState.UNAPPROVED, AdmissionState.REWRITTEN):
            subject, author = _told_of(mirror, item)
            yield Situation(
                Topic.UNAPPROVED,
                item.environment,
                message="; ".join(item.reasons),
                revision=item.blocked,
                subject=subject,
                author=author,
            )


def of_requests(requests: Iterable[Request], desired: DesiredState, now: float) -> Iterator[Situation]:
    """Yield the changes that wait for approvals, and those that are rejected.

    A reminder is a situation of its own, so that it is told like any other: once.
    """
    people = People(desired.people, desired.groups)
    for request in requests:
        change = request.change
        about = Situation(Topic.REQUESTED, version=change.name, subject=change.title, url=change.url)
        if change.rejections:
            by = ", ".join(people.who(identity) for identity in change.rejections)
            mails = addresses(desired, [change.requester])
            yield replace(about, topic=Topic.REJECTED, message=f"by {by}", people=mails)
        elif request.missing and request.needs:
            groups = tuple(dict.fromkeys(group for need in request.needs for group in need.policy.groups))
            members = [member for need in request.needs for member in need.members]
            asker = people.who(change.requester)
            others = [member for member in members if people.who(member) != asker]
            told = "; ".join((f"asked for by {change.requester}", *(need.text for need in request.needs)))
            for again in range(_reminders(change.opened_at, desired.notifications.remind, now) + 1):
                mails = addresses(desired, others)
                yield replace(about, message=told, groups=groups, people=mails, again=again)


def of_decisions(
    site: Site, mirror: GitRepository, desired: DesiredState, after: int
) -> tuple[tuple[Notice, ...], int]:
    """Return what was decided since the audit record of this number, and the number of the last one."""
    notices: list[Notice] = []
    last = after
    for record in site.audit.records(after):
        last = record.number
        if record.kind == Happened.DECIDED:
            decision = site.approvals.decision(record.facts)
            if decision.judgement.approved:
                notices.append(_of_decision(site, mirror, desired, decision))
    return tuple(notices), last


def requester_of(site: Site, desired: DesiredState, commit: str) -> tuple[str, ...]:
    """Return the mail addresses of who asked for a commit: by the change it came by, else its author."""
    reviewed = site.approvals.reviewed(commit)
    if reviewed is not None and reviewed.change is not None:
        return addresses(desired, [reviewed.change.requester])
    record = site.revisions.find(commit)
    return (record.author.rpartition("<")[2].rstrip(">"),) if record is not None else ()


def addresses(desired: DesiredState, identities: Sequence[Identity]) -> tuple[str, ...]:
    """Return the mail addresses of people, each person's first."""
    people = People(desired.people, desired.groups)
    found: dict[str, None] = {}
    for identity in identities:
        person = desired.people.get(people.who(identity))
        known = (identity, *(person.known_as if person is not None else ()))
        mail = next((name for name in known if "@" in name and not name.startswith("@")), None)
        if mail is not None:
            found[fold(mail)] = None
    return tuple(found)


def _of_decision(site: Site, mirror: GitRepository, desired: DesiredState, decision: Decision) -> Notice:
    judged = decision.judgement
    subject, author = _told_of(mirror, decision)
    by = ", ".join(judged.approvers)
    if judged.emergency:
        topic, message = Topic.EMERGENCY, f"declared by {by}: {judged.emergency}"
    else:
        topic, message = Topic.APPROVED, f"by {by}" if by else "no approval was required"
    return Notice(
        topic,
        Phase.BEGAN,
        decision.environment,
        revision=decision.commit,
        subject=subject,
        author=author,
        message=message,
        people=requester_of(site, desired, decision.commit),
    )


def _told_of(mirror: GitRepository, about: Admission | Decision) -> tuple[str, str]:
    commit = about.blocked if isinstance(about, Admission) else about.commit
    try:
        found = mirror.commit(commit)
    except RepositoryError:
        return "", ""
    return found.subject, f"{found.author} <{found.author_email}>"


def _reminders(opened_at: float, remind: float, now: float) -> int:
    return max(0, min(MOST_REMINDERS, int((now - opened_at) / remind))) if opened_at else 0
