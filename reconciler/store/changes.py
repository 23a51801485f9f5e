"""Changes of the built-in review: what asks to be merged, what people said of it, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from reconciler.store.audit import Happened, append
from reconciler.store.database import Database
from reconciler.store.tables import change_notes, changes, commit_statuses, reviews


class ChangeState(StrEnum):
    """Where a change stands."""

    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


class Word(StrEnum):
    """What somebody says of a change. A comment leaves what they said before as it is."""

    APPROVED = "approved"
    REJECTED = "rejected"
    COMMENTED = "commented"


_LARGEST_NUMBER = 2**63 - 1
"""Beyond it SQLite cannot be asked."""


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """A change.

    ``title`` and ``body`` come from its first commit unless it is ``described``. ``requester`` is the account that
    pushed first, empty where that is not known; ``first_push`` and ``last_push`` number that push and
    the one that brought ``head``. ``merge_commit`` is the commit that merged it, or that was about to: it counts
    once it is on the branch.
    """

    number: int
    branch: str
    state: ChangeState
    title: str
    body: str
    described: bool
    requester: str
    head: str
    first_push: int
    last_push: int
    opened_at: float
    ended_at: float | None = None
    ended_by: str = ""
    merge_commit: str = ""


@dataclass(frozen=True, slots=True)
class NewChange:
    """What a change is opened with."""

    branch: str
    title: str
    body: str
    requester: str
    head: str
    first_push: int
    last_push: int


@dataclass(frozen=True, slots=True)
class ReviewRecord:
    """What somebody said of a change, and of which head."""

    number: int
    change: int
    at: float
    account: str
    verdict: Word
    head: str
    comment: str


@dataclass(frozen=True, slots=True)
class NoteRecord:
    """What Reconciler itself says of a change."""

    marker: str
    at: float
    body: str


@dataclass(frozen=True, slots=True)
class StatusRecord:
    """How a check of a commit stands."""

    context: str
    at: float
    state: str
    text: str


class ChangeStore:
    """Reads and writes changes, and what belongs to them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, change: NewChange, now: float) -> ChangeRecord:
        """Keep a new change, and return it with its number."""
        values = {
            "branch": change.branch,
            "state": ChangeState.OPEN,
            "title": change.title,
            "body": change.body,
            "described": False,
            "requester": change.requester,
            "head": change.head,
            "first_push": change.first_push,
            "last_push": change.last_push,
            "opened_at": now,
            "ended_by": "",
            "merge_commit": "",
        }
        with self._database.write() as connection:
            number = connection.scalar(sa.insert(changes).values(values).returning(changes.c.number))
            assert number is not None
            told = {
                "change": number,
                "branch": change.branch,
                "requester": change.requester,
                "head": change.head,
                "title": change.title,
            }
            append(connection, now, Happened.CHANGE_OPENED, [told])
        found = self.find(number)
        assert found is not None
        return found

    def find(self, number: int) -> ChangeRecord | None:
        """Return a change by its number, or ``None``."""
        if number > _LARGEST_NUMBER:
            return None
        return next(iter(self._read(sa.select(changes).where(changes.c.number == number))), None)

    def of_state(self, state: ChangeState | None) -> tuple[ChangeRecord, ...]:
        """Return the changes in a state (in any, for ``None``), the oldest first."""
        query = sa.select(changes).order_by(changes.c.number)
        return self._read(query if state is None else query.where(changes.c.state == state))

    def last_of_branch(self, branch: str) -> ChangeRecord | None:
        """Return the newest change that came from a branch, or ``None``."""
        query = sa.select(changes).where(changes.c.branch == branch).order_by(changes.c.number.desc()).limit(1)
        return next(iter(self._read(query)), None)

    def merged_by(self, commit: str) -> ChangeRecord | None:
        """Return the change that was merged by this commit, or ``None``."""
        query = sa.select(changes).where(changes.c.merge_commit == commit, changes.c.state == ChangeState.MERGED)
        return next(iter(self._read(query)), None)

    def moved(self, number: int, head: str, last_push: int) -> None:
        """Keep the new head of a change, and the number of the push that brought it."""
        self._change(number, {"head": head, "last_push": last_push})

    def describe(self, number: int, title: str, body: str, *, stays: bool) -> None:
        """Give a change its title and description.

        Args:
            number: the change's.
            title: one line.
            body: Markdown.
            stays: whether it stays, whatever its commits say later on.
        """
        self._change(number, {"title": title, "body": body, "described": stays})

    def will_merge(self, number: int, commit: str, by: str, now: float) -> None:
        """Put down by which commit a change is about to be merged, before the branch moves."""
        self._change(number, {"merge_commit": commit, "ended_by": by, "ended_at": now})

    def merged(self, number: int, facts: Mapping[str, Any], now: float) -> None:
        """Say that the commit by which a change was to be merged is on the branch."""
        self._end(number, ChangeState.MERGED, {}, (Happened.CHANGE_MERGED, facts), now)

    def closed(self, number: int, by: str, why: str, now: float) -> None:
        """Say that a change will not be merged."""
        told = {"change": number, "by": by, "why": why}
        values = {"ended_by": by, "ended_at": now, "merge_commit": ""}
        self._end(number, ChangeState.CLOSED, values, (Happened.CHANGE_CLOSED, told), now)

    def add_review(self, review: ReviewRecord) -> None:
        """Keep what somebody said; its number is given here."""
        values = {
            "change": review.change,
            "at": review.at,
            "account": review.account,
            "verdict": review.verdict,
            "head": review.head,
            "comment": review.comment,
        }
        with self._database.write() as connection:
            connection.execute(sa.insert(reviews).values(values))
            told = {name: value for name, value in values.items() if name != "at"}
            append(connection, review.at, Happened.CHANGE_REVIEWED, [told])

    def reviews(self, number: int) -> tuple[ReviewRecord, ...]:
        """Return what was said of a change, the oldest first."""
        query = sa.select(reviews).where(reviews.c.change == number).order_by(reviews.c.number)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return tuple(ReviewRecord(**{**row._mapping, "verdict": Word(row.verdict)}) for row in rows)

    def note(self, number: int, marker: str, body: str, now: float) -> None:
        """Keep a note of a change, in place of the one of this marker."""
        statement = insert(change_notes).values(change=number, marker=marker, at=now, body=body)
        changed = {"at": now, "body": body}
        with self._database.write() as connection:
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=[change_notes.c.change, change_notes.c.marker], set_=changed
                )
            )

    def notes(self, number: int) -> tuple[NoteRecord, ...]:
        """Return the notes of a change."""
        query = sa.select(change_notes.c.marker, change_notes.c.at, change_notes.c.body)
        with self._database.read() as connection:
            rows = connection.execute(query.where(change_notes.c.change == number)).all()
        return tuple(NoteRecord(**row._mapping) for row in rows)

    def set_status(self, commit: str, status: StatusRecord) -> None:
        """Keep how a check of a commit stands, in place of an earlier word on it."""
        changed = {"at": status.at, "state": status.state, "text": status.text}
        statement = insert(commit_statuses).values(commit=commit, context=status.context, **changed)
        with self._database.write() as connection:
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=[commit_statuses.c.commit, commit_statuses.c.context], set_=changed
                )
            )

    def statuses(self, commit: str) -> tuple[StatusRecord, ...]:
        """Return how the checks of a commit stand."""
        query = sa.select(commit_statuses).where(commit_statuses.c.commit == commit)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(commit_statuses.c.context)).all()
        return tuple(StatusRecord(row.context, row.at, row.state, row.text) for row in rows)

    def _change(self, number: int, values: Mapping[str, Any]) -> None:
        """Change what is on record of a change; one that has ended stays as it is."""
        with self._database.write() as connection:
            connection.execute(
                sa.update(changes)
                .where(changes.c.number == number, changes.c.state == ChangeState.OPEN)
                .values(**values)
            )

    def _end(
        self,
        number: int,
        state: ChangeState,
        values: Mapping[str, Any],
        told: tuple[Happened, Mapping[str, Any]],
        now: float,
    ) -> None:
        """End a change that is open, and put it into the audit chain; one that has ended stays as it is."""
        with self._database.write() as connection:
            done = connection.execute(
                sa.update(changes)
                .where(changes.c.number == number, changes.c.state == ChangeState.OPEN)
                .values(state=state, **values)
            )
            if done.rowcount == 1:
                append(connection, now, told[0], [told[1]])

    def _read(self, query: sa.Select[Any]) -> tuple[ChangeRecord, ...]:
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return tuple(ChangeRecord(**{**row._mapping, "state": ChangeState(row.state)}) for row in rows)
