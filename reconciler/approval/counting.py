"""Says why an approval does not count, whoever may approve: what it was given for, what is unknown of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.approval.evidence import Approval, Change, Evidence
from reconciler.desired.approvals import ApprovalPolicy
from reconciler.desired.people import Identity, People, is_mail, logins_of

_SHORT = 10


def refusal(policy: ApprovalPolicy, people: People, evidence: Evidence, change: Change, approval: Approval) -> str:
    """Return why an approval does not count; empty where it does. What is unknown counts against it.

    Args:
        policy: what the environment demands.
        people: who is who.
        evidence: what git says of the commit.
        change: what the forge says of the change by which it came.
        approval: one of the change's.
    """
    return next(_refusals(policy, people, evidence, change, approval), "")


def rejections(people: People, members: Iterable[str], change: Change) -> Iterator[str]:
    """Give the rejections by members that stand, in words."""
    voting = frozenset(members)
    removed = {people.who(by) for by in change.removed}
    for person in sorted({people.who(by) for by in change.rejections} & voting):
        if person in removed:
            yield (
                f"{person} rejected it, and is not among its reviewers any more: "
                f"{person} must approve it, or it must be proposed again"
            )
        else:
            yield f"{person} rejects it"


def _refusals(
    policy: ApprovalPolicy, people: People, evidence: Evidence, change: Change, approval: Approval
) -> Iterator[str]:
    person, head = people.who(approval.by), change.head[:_SHORT]
    # Whoever signed a commit wrote it, whatever its author field says: that is typed by hand.
    writers = {by for by in (change.requester, *change.authors, *evidence.authors, *evidence.signers) if by}
    if person in _persons(people, writers):
        yield f"{person} approved it, and wrote a part of it or asked for it"
    if person in _persons(people, change.pushers):
        yield f"{person} approved it, and pushed to it last"
    if change.unknown_pushers:
        yield f"{person} approved it, and it is not known who pushed {head}: {change.unknown_pushers}"
    if approval.void:
        yield f"{person} approved it, and {approval.void}"
    yield from _stranger(people, change, approval)
    yield from _unknown_author(people, change, approval)
    if approval.retargeted:
        into = f" to {change.target}" if change.target else ""
        yield f"{person} approved it before its target branch was changed{into}, or the forge does not say"
    if policy.voided_by_push and approval.commit != change.head:
        if not approval.commit:
            yield f"{person} approved it, and the forge does not tell for which commit"
        yield f"{person} approved {approval.commit[:_SHORT]}, and {head} was pushed after that"


def _persons(people: People, identities: Iterable[Identity]) -> set[str]:
    """Return who these are, those known only by an address that a forge made for their account included."""
    return {people.who(known) for by in identities for known in (by, *logins_of(by))}


def _stranger(people: People, change: Change, approval: Approval) -> Iterator[str]:
    """Say that the account is another one than the person's, though it has the same name.

    Signatures and the built-in review name no accounts of a forge.
    """
    if not change.accounts:
        return
    person, account = people.who(approval.by), change.accounts.get(approval.by, "")
    pinned = people.accounts(approval.by)
    if pinned and account not in pinned:
        listed = " or ".join(sorted(pinned))
        yield f"{approval.by} approved it with the account {account or 'unknown'}, and {person} has {listed}"
    first = change.pins.get(approval.by, account)
    if not pinned and first != account:
        yield (
            f"{approval.by} approved it with the account {account or 'unknown'}, and was {first} before: "
            f"if both are {person}, list the account's id under people"
        )


def _unknown_author(people: People, change: Change, approval: Approval) -> Iterator[str]:
    """Say that the approver may have written a part, where the forge knows authors by address alone."""
    if not change.by_mail_alone or is_mail(approval.by) or people.has_mail(approval.by):
        return
    unknown = [by for by in change.authors if is_mail(by) and not people.is_known(by) and not logins_of(by)]
    if unknown:
        person = people.who(approval.by)
        yield (
            f"{person} approved it, and it is not known whether {person} wrote it: "
            f"list whose address {unknown[0]} is under people, or the addresses of {person}"
        )
