"""Who moved which ref of the hosted repository: put down before it moves, and settled by where it is afterwards.

So a crash in between never leaves a ref that moved without the one who moved it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from reconciler.store.audit import Happened, append
from reconciler.store.database import Database
from reconciler.store.tables import pushes

NO_COMMIT = "0" * 40
"""How git writes that a ref is not there."""


class PushOutcome(StrEnum):
    """What became of a push. ``ANNOUNCED`` is one that is under way, or was when the daemon died."""

    ANNOUNCED = "announced"
    LANDED = "landed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """A ref that is to move. `NO_COMMIT` stands for its not being there, before or after."""

    ref: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class PushRecord:
    """A ref that somebody moved, or wanted to. An empty ``account`` is nobody who is known here."""

    number: int
    at: float
    account: str
    ref: str
    old: str
    new: str
    outcome: PushOutcome


class PushStore:
    """Reads and writes pushes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def announce(self, account: str, updates: Iterable[RefUpdate], now: float) -> None:
        """Put down what somebody is about to push."""
        rows = [
            {
                "at": now,
                "account": account,
                "ref": update.ref,
                "old": update.old,
                "new": update.new,
                "outcome": PushOutcome.ANNOUNCED,
            }
            for update in updates
        ]
        if rows:
            with self._database.write() as connection:
                connection.execute(sa.insert(pushes), rows)

    def settle(self, refs: Mapping[str, str], now: float) -> None:
        """Say of each push that is announced whether it took place.

        Args:
            refs: where each ref of the repository is now.
            now: seconds since the epoch.
        """
        query = sa.select(pushes).where(pushes.c.outcome == PushOutcome.ANNOUNCED).order_by(pushes.c.number)
        with self._database.read() as connection:
            if connection.execute(query.limit(1)).first() is None:
                return
        with self._database.write() as connection:
            landed = []
            for row in connection.execute(query).all():
                done = refs.get(row.ref, NO_COMMIT) == row.new
                outcome = PushOutcome.LANDED if done else PushOutcome.REFUSED
                connection.execute(sa.update(pushes).where(pushes.c.number == row.number).values(outcome=outcome))
                if done:
                    landed.append(_told(row))
            append(connection, now, Happened.PUSHED, landed)

    def explain(self, update: RefUpdate, now: float) -> PushRecord:
        """Return the push by which a ref came to be where it is.

        Where nobody announced it, it is put down as that of nobody who is known. One that was settled as refused
        may have taken place all the same: git can outlive the daemon for a moment.

        Args:
            update: the ref, where it was when it was last looked at, and where it is.
            now: seconds since the epoch.
        """
        query = sa.select(pushes).where(pushes.c.ref == update.ref).order_by(pushes.c.number.desc()).limit(1)
        with self._database.write() as connection:
            last = connection.execute(query.where(pushes.c.outcome == PushOutcome.LANDED)).one_or_none()
            if last is not None and last.new == update.new:
                return _record(last)
            later = pushes.c.number > (last.number if last is not None else 0)
            row = connection.execute(query.where(later, pushes.c.new == update.new)).one_or_none()
            if row is not None:
                settled = sa.update(pushes).where(pushes.c.number == row.number)
                connection.execute(settled.values(outcome=PushOutcome.LANDED))
                append(connection, now, Happened.PUSHED, [_told(row)])
                return _record(row)
            values = {"at": now, "account": "", "ref": update.ref, "old": update.old, "new": update.new}
            made = sa.insert(pushes).values(outcome=PushOutcome.LANDED, **values).returning(pushes)
            unknown = connection.execute(made).one()
            append(connection, now, Happened.PUSHED, [_told(unknown)])
            return _record(unknown)

    def makers(self, refs: Collection[str]) -> dict[str, str]:
        """Return which account made each of these refs, as far as that is known.

        Args:
            refs: full names of refs that are there.
        """
        made = (
            sa.select(sa.func.max(pushes.c.number))
            .where(pushes.c.old == NO_COMMIT, pushes.c.outcome == PushOutcome.LANDED)
            .group_by(pushes.c.ref)
        )
        query = sa.select(pushes.c.ref, pushes.c.account).where(pushes.c.number.in_(made))
        with self._database.read() as connection:
            return {row.ref: row.account for row in connection.execute(query) if row.ref in refs}

    def of_ref(self, ref: str, first: int, last: int) -> tuple[PushRecord, ...]:
        """Return the pushes to a ref that took place, the oldest first.

        Args:
            ref: its full name.
            first: the number of the first that matters.
            last: the number of the last.
        """
        query = sa.select(pushes).where(
            pushes.c.ref == ref,
            pushes.c.number.between(first, last),
            pushes.c.outcome == PushOutcome.LANDED,
        )
        with self._database.read() as connection:
            return tuple(_record(row) for row in connection.execute(query.order_by(pushes.c.number)))


def _told(row: sa.Row[Any]) -> dict[str, str]:
    return {"account": row.account, "ref": row.ref, "old": row.old, "new": row.new}


def _record(row: sa.Row[Any]) -> PushRecord:
    values = dict(row._mapping)
    return PushRecord(**{**values, "outcome": PushOutcome(values["outcome"])})
