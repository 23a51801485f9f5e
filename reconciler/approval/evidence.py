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
class CheckReport:
    """One report of a check. ``by`` are the names of who reported it; empty where the forge does not say.

    An account is ``@login`` or a mail address. An app is ``app:`` and its name, or its id, at the forge.
    """

    name: str
    state: CheckState
    by: tuple[Identity, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What a forge, or the built-in review, says of a change, open or merged.

    ``name`` is how people call it there (``#12``, ``!12``), ``head`` its last commit (before the merge).
    ``authors`` are all who wrote a part of it, as far as the forge knows them; ``pushers`` who pushed to it last,
    empty where the forge does not tell. ``ref`` is where the repository that is followed still has the head.
    ``approvals`` are those that stand: one that was taken back, dismissed or followed by a rejection of the same
    person is none. ``rejections`` are those who reject it still. Times are seconds since 1970; ``merged_by`` is
    empty and ``merged_at`` 0 where it is open.

    ``target`` is the branch that it is merged into, ``base`` the commit that its head is compared with.
    ``revision`` is the forge's own name of this pair of head and target, where it counts them. ``unknown_pushers``
    says why nobody knows who pushed last; empty where that is known. ``by_mail_alone``: the forge reports authors
    by mail address and does not say whose accounts these are. ``withdrawn`` are those who took back what they
    said; ``removed`` are those of ``rejections`` who are reviewers no longer. ``reports`` are the checks with who
    reported each. ``accounts`` are the forge's ids of the accounts that it names, and ``pins`` the ids that these
    names had when they were first seen. ``landed`` is the commit by which it came onto the branch, and ``squash``
    the one commit that a squash made of it; both are empty where the forge does not report them.
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
    target: str = ""
    base: str = ""
    revision: str = ""
    unknown_pushers: str = ""
    by_mail_alone: bool = False
    withdrawn: tuple[Identity, ...] = ()
    removed: tuple[Identity, ...] = ()
    reports: tuple[CheckReport, ...] = ()
    accounts: Mapping[Identity, str] = field(default_factory=dict)
    pins: Mapping[Identity, str] = field(default_factory=dict)
    landed: str = ""
    squash: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one first-parent commit of the branch.

    ``change`` is what it came by, ``None`` where it was pushed straight to the branch. ``authors`` are those who
    wrote or committed what it brought in, by their mail addresses, as git has them. ``altered``: it holds
    what neither side had, or something else than the change's head; ``alteration`` says what. ``signer`` is whose
    key the commit itself is signed with; ``signers`` are those of the commits that it brought in, ``unsigned``
    the commits among these that carry no good signature. ``emergency`` is the reason that its trailer names.
    """

    commit: str
    change: Change | None = None
    authors: tuple[Identity, ...] = ()
    altered: bool = False
    alteration: str = ""
    signer: Identity = ""
    signers: tuple[Identity, ...] = ()
    unsigned: tuple[str, ...] = ()
    emergency: str = ""
