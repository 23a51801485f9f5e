"""Keeps in mind what was seen of a change while it was open: forges forget who pushed, and who rejected. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from reconciler.approval.evidence import Approval, Change
from reconciler.desired.people import Identity


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one change.

    ``revision`` is the pair of head and target that it had at the last look, and ``approving`` are those who
    approved it then; ``revision`` is empty before the first look. ``pushers`` are, by head, those who brought the
    branch to it. ``rejections`` are those who rejected it and have not taken that back. ``given`` has, for each
    approver, the revision that the approval was given for, where two looks show it.
    """

    revision: str = ""
    approving: tuple[Identity, ...] = ()
    pushers: Mapping[str, tuple[Identity, ...]] = field(default_factory=dict)
    rejections: tuple[Identity, ...] = ()
    given: Mapping[Identity, str] = field(default_factory=dict)


def see(before: Seen, change: Change) -> Seen:
    """Return what is known after another look at a change.

    An approval that was not there at the last look, and is now, was given for the revision that it had at both.
    """
    revision = _revision(change)
    approving = {approval.by for approval in change.approvals}
    given = {by: was for by, was in before.given.items() if by in before.approving and by in approving}
    if revision == before.revision:
        given |= dict.fromkeys(approving - {*before.approving}, revision)
    pushers = dict(before.pushers)
    if change.pushers:
        pushers[change.head] = tuple(sorted({*pushers.get(change.head, ()), *change.pushers}))
    lifted = approving | set(change.withdrawn)
    rejections = ({*before.rejections} - lifted) | set(change.rejections)
    return Seen(revision, tuple(sorted(approving)), pushers, tuple(sorted(rejections)), given)


def recall(seen: Seen, change: Change) -> Change:
    """Return a change with what the forge does not report any more.

    Whoever rejected it and is not among its reviewers any more still rejects it. Whoever was seen to push its head
    did so.
    """
    pushers = tuple(sorted({*change.pushers, *seen.pushers.get(change.head, ())}))
    lifted = {approval.by for approval in change.approvals} | set(change.withdrawn)
    removed = tuple(by for by in seen.rejections if by not in lifted and by not in change.rejections)
    return replace(
        change,
        approvals=tuple(_bound(approval, seen, change) for approval in change.approvals),
        rejections=(*change.rejections, *removed),
        removed=removed,
        pushers=pushers,
        unknown_pushers="" if pushers else change.unknown_pushers,
    )


def _bound(approval: Approval, seen: Seen, change: Change) -> Approval:
    """Return an approval with the head that it was seen to be given for, where the forge does not report one."""
    if approval.at or seen.given.get(approval.by) != _revision(change):
        return approval
    return replace(approval, commit=approval.commit or change.head, retargeted=False)


def _revision(change: Change) -> str:
    return change.revision or f"{change.target}:{change.head}"
