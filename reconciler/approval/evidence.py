"""What is known of how one commit came onto the branch: the words that the policy is judged by. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.desired.people import Identity


class CheckState(StrEnum):
    """How a check of a commit stands."""

    PASSED = "passed"
    FAILED = "failed"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody's word that a change may go in.

    ``commit`` is the head that the change had when it was given; empty where the forge does not tell.
    ``retargeted``: the change got another target branch after that, or the forge does not rule it out.
    ``void`` says why it counts no more, whatever the policy is; empty where it may count.
    """

    by: Identity
    commit: str
    at: float = 0.0
    retargeted: bool = False
    void: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What a forge, or the built-in review, says of a change, open or merged.

    ``name`` is how people call it there (``#12``, ``!12``), ``head`` its last commit (before the merge).
    ``authors`` are all who wrote a part of it, as far as the forge knows them; ``pushers`` who pushed to it last,
    empty where the forge does not tell. ``ref`` is where the repository that is followed still has the head.
    ``approvals`` are those that stand: one that was taken back, dismissed or followed by a rejection of the same
    person is none. ``rejections`` are those who reject it still. Times are seconds since 1970; ``merged_by`` is
    empty and ``merged_at`` 0 where it is open.
    """

    name: str
    url: str
    title: str
    requester: Identity
    head: str
    opened_at: float
    approvals: tuple[Approval, ...] = ()
    rejections: tuple[Identity, ...] = ()
    authors: tuple[Identity, ...] = ()
    pushers: tuple[Identity, ...] = ()
    checks: Mapping[str, CheckState] = field(default_factory=dict)
    merged_by: Identity = ""
    merged_at: float = 0.0
    ref: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one first-parent commit of the branch.

    ``change`` is what it came by, ``None`` where it was pushed straight to the branch. ``authors`` are those who
    wrote or committed what it brought in, by their mail addresses, as git has them. ``altered``: it holds
    what neither side had, or merges something else than the change's head. ``signer`` is whose
    key the commit itself is signed with; ``signers`` are those of the commits that it brought in, ``unsigned``
    the commits among these that carry no good signature. ``emergency`` is the reason that its trailer names.
    """

    commit: str
    change: Change | None = None
    authors: tuple[Identity, ...] = ()
    altered: bool = False
    signer: Identity = ""
    signers: tuple[Identity, ...] = ()
    unsigned: tuple[str, ...] = ()
    emergency: str = ""
