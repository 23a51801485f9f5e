"""Records of attempts: every try at a step, as the host that made it reported it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from reconciler.kernel.attempts import Attempt
from reconciler.kernel.wire import decode, encode
from reconciler.store.database import Database
from reconciler.store.tables import attempts


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """An attempt and the host that made it."""

    host: str
    attempt: Attempt


class AttemptStore:
    """Reads and writes attempts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, host: str, reported: Iterable[Attempt]) -> None:
        """Keep attempts. Hearing of one again changes nothing once it has ended, and a host can speak only
        of its own.
        """
        rows = [
            {
                "id": attempt.id,
                "host": host,
                "package": attempt.package,
                "revision": attempt.revision,
                "started_at": attempt.started_at,
                "ended_at": attempt.ended_at,
                "outcome": attempt.outcome,
                "document": json.dumps(encode(attempt), separators=(",", ":")),
            }
            for attempt in reported
        ]
        if not rows:
            return
        statement = insert(attempts).values(rows)
        new = statement.excluded
        statement = statement.on_conflict_do_update(
            index_elements=[attempts.c.id],
            set_={"ended_at": new.ended_at, "outcome": new.outcome, "document": new.document},
            where=sa.and_(attempts.c.ended_at.is_(None), attempts.c.host == new.host),
        )
        with self._database.write() as connection:
            connection.execute(statement)

    def newest(
        self, *, host: str | None = None, package: str | None = None, limit: int = 50
    ) -> tuple[AttemptRecord, ...]:
        """Return the newest attempts, the newest first.

        Args:
            host: only this host's.
            package: only this package's.
            limit: how many at most.
        """
        query = sa.select(attempts.c.host, attempts.c.document)
        if host is not None:
            query = query.where(attempts.c.host == host)
        if package is not None:
            query = query.where(attempts.c.package == package)
        query = query.order_by(attempts.c.started_at.desc(), attempts.c.id).limit(limit)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return tuple(AttemptRecord(row.host, decode(Attempt, json.loads(row.document))) for row in rows)

    def belongs_to(self, attempt_id: str, host: str) -> bool:
        """Say whether ``host`` made this attempt."""
        query = sa.select(attempts.c.id).where(attempts.c.id == attempt_id, attempts.c.host == host)
        with self._database.read() as connection:
            return connection.execute(query).one_or_none() is not None
