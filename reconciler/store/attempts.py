"""Records of attempts: every try at a step, as the host that made it reported it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from reconciler.kernel.attempts import Attempt
from reconciler.kernel.screening import read_stored
from reconciler.kernel.wire import encode
from reconciler.store.audit import Happened, append
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

    def record(self, host: str, reported: Iterable[Attempt], now: float) -> None:
        """Keep attempts. Hearing of one again changes nothing once it has ended, and a host can speak only
        of its own.

        Args:
            host: who made them.
            reported: the attempts.
            now: seconds since the epoch.
        """
        reported = tuple(reported)
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
        made = insert(attempts).values(rows)
        new = made.excluded
        statement = made.on_conflict_do_update(
            index_elements=[attempts.c.id],
            set_={"ended_at": new.ended_at, "outcome": new.outcome, "document": new.document},
            where=sa.and_(
                attempts.c.ended_at.is_(None), attempts.c.host == new.host, attempts.c.document != new.document
            ),
        ).returning(attempts.c.id)
        with self._database.write() as connection:
            heard = set(connection.scalars(statement))
            news = [attempt for attempt in reported if attempt.id in heard]
            begun = (_told(host, attempt) for attempt in news if attempt.ended_at is None)
            append(connection, now, Happened.ATTEMPT_BEGUN, begun)
            ended = (_told(host, attempt) for attempt in news if attempt.ended_at is not None)
            append(connection, now, Happened.ATTEMPT_ENDED, ended)

    def newest(
        self, *, host: str | None = None, package: str | None = None, limit: int = 50
    ) -> tuple[AttemptRecord, ...]:
        """Return the newest attempts, the newest first. A row that cannot be read is passed over.

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
        return tuple(
            AttemptRecord(row.host, attempt)
            for row in rows
            if (attempt := read_stored(Attempt, row.document)) is not None
        )

    def of_package(self, package: str) -> dict[str, tuple[Attempt, ...]]:
        """Return all attempts at a package by host, the oldest first."""
        query = sa.select(attempts.c.host, attempts.c.document).where(attempts.c.package == package)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(attempts.c.started_at, attempts.c.id)).all()
        found: dict[str, list[Attempt]] = {}
        for row in rows:
            if (attempt := read_stored(Attempt, row.document)) is not None:
                found.setdefault(row.host, []).append(attempt)
        return {host: tuple(made) for host, made in found.items()}

    def belongs_to(self, attempt_id: str, host: str) -> bool:
        """Say whether ``host`` made this attempt."""
        query = sa.select(attempts.c.id).where(attempts.c.id == attempt_id, attempts.c.host == host)
        with self._database.read() as connection:
            return connection.execute(query).one_or_none() is not None


def _told(host: str, attempt: Attempt) -> dict[str, Any]:
    """Return what the audit chain keeps of an attempt: all of it, since nobody knows what will be asked later."""
    return {"host": host, "attempt": encode(attempt)}
