"""Works out which words of reviewers stand, and how checks stand on the whole. Pure; knows no forge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reconciler.approval.evidence import Approval, CheckState
from reconciler.desired.people import Identity


class Word(StrEnum):
    """What a reviewer said. A comment is none: it takes nothing back."""

    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    """What they said before was taken back, by themselves or by somebody who dismissed it."""


@dataclass(frozen=True, slots=True)
class Review:
    """What one reviewer said, and of which head; that is empty where nobody tells. Seconds are since 1970."""

    by: Identity
    word: Word
    commit: str = ""
    at: float = 0.0


def standing(reviews: Iterable[Review]) -> tuple[tuple[Approval, ...], tuple[Identity, ...]]:
    """Return the approvals that stand, and who rejects: of each reviewer, the last word counts.

    Args:
        reviews: the oldest first.
    """
    last: dict[Identity, Review] = {}
    for review in reviews:
        last.pop(review.by, None)
        last[review.by] = review
    approvals = tuple(
        Approval(review.by, review.commit, review.at) for review in last.values() if review.word is Word.APPROVED
    )
    return approvals, tuple(review.by for review in last.values() if review.word is Word.REJECTED)


_WORST_FIRST = (CheckState.FAILED, CheckState.PENDING, CheckState.PASSED)


def gather(checks: Iterable[tuple[str, CheckState]]) -> dict[str, CheckState]:
    """Return each check by its name; of several of one name, the worst."""
    found: dict[str, CheckState] = {}
    for name, state in checks:
        found[name] = min(state, found.get(name, state), key=_WORST_FIRST.index)
    return found


def seconds(at: datetime | None) -> float:
    """Return a time in seconds since 1970; 0 where there is none."""
    return at.timestamp() if at is not None else 0.0
