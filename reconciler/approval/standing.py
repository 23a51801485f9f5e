"""Works out which words of reviewers stand, and how checks stand on the whole. Pure; knows no forge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reconciler.approval.evidence import Approval, CheckReport, CheckState
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


NEVER = float("-inf")
"""When something happened that never did."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What reviewers say by now. ``withdrawn`` are those who took back what they had said."""

    approvals: tuple[Approval, ...]
    rejections: tuple[Identity, ...]
    withdrawn: tuple[Identity, ...]


def standing(reviews: Iterable[Review], retargeted_at: float = NEVER) -> Standing:
    """Return what stands: of each reviewer, the last word counts.

    Args:
        reviews: the oldest first.
        retargeted_at: when the change last got another target branch, in seconds since 1970. An approval of that
            very second may have been given before.
    """
    last: dict[Identity, Review] = {}
    for review in reviews:
        last.pop(review.by, None)
        last[review.by] = review
    said = last.values()
    return Standing(
        tuple(
            Approval(review.by, review.commit, review.at, review.at <= retargeted_at)
            for review in said
            if review.word is Word.APPROVED
        ),
        tuple(review.by for review in said if review.word is Word.REJECTED),
        tuple(review.by for review in said if review.word is Word.WITHDRAWN),
    )


_WORST_FIRST = (CheckState.FAILED, CheckState.PENDING, CheckState.PASSED)


def gather(reports: Iterable[CheckReport]) -> dict[str, CheckState]:
    """Return each check by its name; of several of one name, the worst."""
    found: dict[str, CheckState] = {}
    for report in reports:
        found[report.name] = min(report.state, found.get(report.name, report.state), key=_WORST_FIRST.index)
    return found


def seconds(at: datetime | None) -> float:
    """Return a time in seconds since 1970; 0 where there is none."""
    return at.timestamp() if at is not None else 0.0
