"""Records of who asked that tries be counted afresh, when, why, and where."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa

from reconciler.kernel.attempts import Failure
from reconciler.kernel.retries import Retry
from reconciler.kernel.wire import decode, encode
from reconciler.store.audit import Happened, append
from reconciler.store.database import Database
from reconciler.store.tables import retries


class RetryStore:
    """Reads and writes retries. None is ever changed or taken away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, retry: Retry) -> Retry:
        """Keep a retry, and return it with the number that it got."""
        values = {
            "at": retry.at,
            "asked_by": retry.asked_by,
            "reason": retry.reason,
            "package": retry.package,
            "environment": retry.environment,
            "host": retry.host,
            "goal": retry.goal,
            "failure": json.dumps(encode(retry.failure)) if retry.failure is not None else None,
        }
        with self._database.write() as connection:
            number = connection.scalar(sa.insert(retries).values(values).returning(retries.c.number))
            told = {
                "askedBy": retry.asked_by,
                "reason": retry.reason,
                "package": retry.package,
                "environment": retry.environment,
                "host": retry.host,
            }
            append(connection, retry.at, Happened.RETRY_ASKED, [told])
        assert number is not None
        return replace(retry, number=number)

    def last_number(self) -> int:
        """Return the number of the newest retry, 0 where there is none."""
        with self._database.read() as connection:
            return connection.scalar(sa.select(sa.func.max(retries.c.number))) or 0

    def standing(self) -> tuple[Retry, ...]:
        """Return the newest retry for each package, by host and environment: older ones play no part any more."""
        newest = sa.select(sa.func.max(retries.c.number)).group_by(
            retries.c.package, retries.c.environment, retries.c.host
        )
        return self._read(sa.select(retries).where(retries.c.number.in_(newest)))

    def newest(
        self,
        *,
        host: str | None = None,
        environment: str | None = None,
        package: str | None = None,
        limit: int = 50,
    ) -> tuple[Retry, ...]:
        """Return the newest retries, the newest first.

        Args:
            host: only those that concern this host: its own, and those for all of ``environment``.
            environment: the host's environment.
            package: only this package's.
            limit: how many at most.
        """
        query = sa.select(retries)
        if host is not None:
            shared = sa.and_(retries.c.host == "", retries.c.environment == environment)
            query = query.where(sa.or_(retries.c.host == host, shared))
        if package is not None:
            query = query.where(retries.c.package == package)
        return self._read(query.order_by(retries.c.number.desc()).limit(limit))

    def _read(self, query: sa.Select[tuple[object, ...]]) -> tuple[Retry, ...]:
        with self._database.read() as connection:
            rows: Sequence[sa.Row[tuple[object, ...]]] = connection.execute(query).all()
        return tuple(_retry(row) for row in rows)


def _retry(row: sa.Row[tuple[object, ...]]) -> Retry:
    values = dict(row._mapping)
    failure = values.pop("failure")
    return Retry(**values, failure=decode(Failure, json.loads(failure)) if failure else None)
