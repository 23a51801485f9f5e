"""The outbox: what is to be told to whom, and what was. A letter is put in with the change that it tells of.

Letters lie in lanes, one for each channel and recipient, and leave a lane in their order. Those that go out
together are given one message's name first (`seal`), so that a message tried again is the same message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from reconciler.store.database import Database
from reconciler.store.tables import facts, lanes, letters, situations

TOLD_REVISION = "toldRevision"
"""The fact that says up to which revision seen people were told."""

TOLD_AUDIT = "toldAudit"
"""The fact that says up to which record of the audit chain people were told of decisions."""

MOST_LETTERS = 1000
"""Letters in one message."""

KEPT_SECONDS = 30 * 86400.0
"""Seconds for which letters are kept after they were sent or given up."""


@dataclass(frozen=True, slots=True, order=True)
class Lane:
    """A channel, and who is written to by it: a mail address, or empty for whoever its address names."""

    channel: str
    recipient: str = ""

    def __str__(self) -> str:
        return f"{self.channel} to {self.recipient}" if self.recipient else self.channel


@dataclass(frozen=True, slots=True)
class Letter:
    """Something to be told. ``message`` is the name of the message that it goes out with, once there is one."""

    lane: Lane
    at: float
    document: str
    number: int = 0
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """A lane's failures in a row, since when, the last of them, and when the next try is due."""

    failures: int
    since: float
    error: str
    next_at: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in a lane, since when the oldest has; what was given up there."""

    lane: Lane
    letters: int
    since: float | None
    trouble: Trouble | None
    given_up: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """A change of what people were told of, and the letters that tell of it; all of it or none is kept."""

    begun: Mapping[str, str]
    ended: Iterable[str]
    letters: Iterable[Letter]
    revision: int
    audited: int


class OutboxStore:
    """Reads and writes letters, lanes, and the situations that people were told of."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def situations(self) -> dict[str, str]:
        """Return what people were told of and still is so: documents by key."""
        with self._database.read() as connection:
            return {row.key: row.document for row in connection.execute(sa.select(situations))}

    def put(self, told: Told) -> None:
        """Keep what has changed and the letters that tell of it, in one transaction."""
        rows = [
            {"channel": x.lane.channel, "recipient": x.lane.recipient, "at": x.at, "document": x.document}
            for x in told.letters
        ]
        ended = [{"gone": key} for key in told.ended]
        with self._database.write() as connection:
            if ended:
                connection.execute(sa.delete(situations).where(situations.c.key == sa.bindparam("gone")), ended)
            if told.begun:
                statement = insert(situations)
                connection.execute(
                    statement.on_conflict_do_update(
                        index_elements=[situations.c.key], set_={"document": statement.excluded.document}
                    ),
                    [{"key": key, "document": document} for key, document in told.begun.items()],
                )
            if rows:
                connection.execute(sa.insert(letters), rows)
            for name, number in ((TOLD_REVISION, told.revision), (TOLD_AUDIT, told.audited)):
                fact = insert(facts).values(name=name, value=str(number))
                connection.execute(
                    fact.on_conflict_do_update(index_elements=[facts.c.name], set_={"value": str(number)})
                )

    def waiting(self) -> tuple[Waiting, ...]:
        """Return every lane in which something waits or was given up, in the order of their names."""
        query = (
            sa.select(
                letters.c.channel,
                letters.c.recipient,
                sa.func.count().filter(_OPEN).label("waiting"),
                sa.func.min(letters.c.at).filter(_OPEN).label("since"),
                sa.func.count(letters.c.given_up_at).label("given_up"),
            )
            .where(letters.c.sent_at.is_(None))
            .group_by(letters.c.channel, letters.c.recipient)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
            troubles = {Lane(row.channel, row.recipient): row for row in connection.execute(sa.select(lanes))}
        found = []
        for row in rows:
            lane = Lane(row.channel, row.recipient)
            known = troubles.get(lane)
            trouble = Trouble(known.failures, known.failing_since, known.error, known.next_at) if known else None
            found.append(Waiting(lane, row.waiting, row.since, trouble, row.given_up))
        return tuple(sorted(found, key=lambda item: item.lane))

    def sent_since(self, lane: Lane, since: float) -> tuple[float, ...]:
        """Return when messages were sent in a lane after a time, the oldest first."""
        query = (
            sa.select(letters.c.sent_at)
            .where(_in(lane), letters.c.sent_at > since)
            .group_by(letters.c.message, letters.c.sent_at)
            .order_by(letters.c.sent_at)
        )
        with self._database.read() as connection:
            return tuple(connection.scalars(query))

    def next_letters(self, lane: Lane) -> tuple[Letter, ...]:
        """Return what goes out next: the message that is under way; else all that waits."""
        query = sa.select(letters).where(_in(lane), _OPEN).order_by(letters.c.number).limit(MOST_LETTERS)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        found = tuple(Letter(lane, row.at, row.document, row.number, row.message) for row in rows)
        sealed = tuple(letter for letter in found if letter.message is not None)
        if not sealed:
            return found
        return tuple(letter for letter in sealed if letter.message == sealed[0].message)

    def seal(self, lane: Lane, waiting: Iterable[Letter], message: str) -> None:
        """Have letters go out as one message from now on, however often that is tried."""
        numbers = [{"of": letter.number} for letter in waiting]
        with self._database.write() as connection:
            connection.execute(
                sa.update(letters)
                .where(_in(lane), _OPEN, letters.c.number == sa.bindparam("of"))
                .values(message=message),
                numbers,
            )

    def sent(self, lane: Lane, message: str, now: float) -> None:
        """Keep that a message was sent, and forget the lane's failures and letters of long ago."""
        with self._database.write() as connection:
            connection.execute(
                sa.update(letters).where(_in(lane), letters.c.message == message).values(sent_at=now)
            )
            connection.execute(sa.delete(lanes).where(*_lane(lane)))
            old = now - KEPT_SECONDS
            connection.execute(
                sa.delete(letters).where(sa.or_(letters.c.sent_at < old, letters.c.given_up_at < old))
            )

    def failed(self, lane: Lane, trouble: Trouble) -> None:
        """Keep that a try failed, and when the next one is due."""
        values = {
            "failures": trouble.failures,
            "failing_since": trouble.since,
            "next_at": trouble.next_at,
            "error": trouble.error,
        }
        statement = insert(lanes).values(channel=lane.channel, recipient=lane.recipient, **values)
        with self._database.write() as connection:
            connection.execute(
                statement.on_conflict_do_update(index_elements=[lanes.c.channel, lanes.c.recipient], set_=values)
            )

    def give_up(self, lane: Lane, message: str | None, now: float) -> None:
        """Try a message no more, or nothing of what waits in a lane (``None``). What comes later is tried anew."""
        condition = letters.c.message == message if message is not None else sa.true()
        with self._database.write() as connection:
            connection.execute(sa.update(letters).where(_in(lane), _OPEN, condition).values(given_up_at=now))
            connection.execute(sa.delete(lanes).where(*_lane(lane)))


_OPEN = sa.and_(letters.c.sent_at.is_(None), letters.c.given_up_at.is_(None))


def _in(lane: Lane) -> sa.ColumnElement[bool]:
    return sa.and_(letters.c.channel == lane.channel, letters.c.recipient == lane.recipient)


def _lane(lane: Lane) -> tuple[sa.ColumnElement[bool], ...]:
    return lanes.c.channel == lane.channel, lanes.c.recipient == lane.recipient
