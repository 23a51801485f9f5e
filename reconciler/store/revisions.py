"""Records of the revisions that were seen, and of the one in force."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from reconciler.store.audit import Happened, append
from reconciler.store.database import Database
from reconciler.store.tables import facts, revisions


class Verdict(StrEnum):
    """What became of a revision when it was seen."""

    IN_FORCE = "inForce"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class RevisionRecord:
    """A head of the branch that was seen. ``findings`` are what kept it from coming into force."""

    commit: str
    seen_at: float
    committed_at: float
    author: str
    subject: str
    verdict: Verdict
    findings: tuple[dict[str, Any], ...] = ()
    rewritten: bool = False
    """Whether it took the place of a head that is not among its ancestors: a force push."""


class RevisionStore:
    """Reads and writes revisions, and the facts that the daemon keeps about itself."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, record: RevisionRecord) -> None:
        """Keep a revision that was seen; one that is valid comes into force in the same transaction."""
        with self._database.write() as connection:
            connection.execute(
                sa.insert(revisions).values(
                    commit=record.commit,
                    seen_at=record.seen_at,
                    committed_at=record.committed_at,
                    author=record.author,
                    subject=record.subject,
                    verdict=record.verdict,
                    findings=json.dumps(record.findings),
                    rewritten=record.rewritten,
                )
            )
            if record.verdict is Verdict.IN_FORCE:
                _set_fact(connection, "inForce", record.commit)
            told = {
                "commit": record.commit,
                "author": record.author,
                "subject": record.subject,
                "committedAt": record.committed_at,
                "verdict": record.verdict,
                "findings": len(record.findings),
                "rewritten": record.rewritten,
            }
            append(connection, record.seen_at, Happened.REVISION_SEEN, [told])

    def in_force(self) -> str | None:
        """Return the commit in force, or ``None`` before the first."""
        return self.fact("inForce")

    def newest(self, limit: int = 1) -> tuple[RevisionRecord, ...]:
        """Return the revisions seen last, the newest first."""
        query = sa.select(revisions).order_by(revisions.c.sequence.desc()).limit(limit)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return tuple(_record(row) for row in rows)

    def after(self, sequence: int) -> tuple[tuple[int, RevisionRecord], ...]:
        """Return the revisions seen after the one of this number, each with its own number, the oldest first."""
        query = sa.select(revisions).where(revisions.c.sequence > sequence).order_by(revisions.c.sequence)
        with self._database.read() as connection:
            return tuple((row.sequence, _record(row)) for row in connection.execute(query))

    def find(self, commit: str) -> RevisionRecord | None:
        """Return the last record of ``commit``, or ``None``."""
        query = (
            sa.select(revisions).where(revisions.c.commit == commit).order_by(revisions.c.sequence.desc()).limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return _record(row) if row is not None else None

    def fact(self, name: str) -> str | None:
        """Return what the daemon keeps under ``name``, or ``None``."""
        with self._database.read() as connection:
            value: str | None = connection.scalar(sa.select(facts.c.value).where(facts.c.name == name))
        return value

    def set_fact(self, name: str, value: str) -> None:
        """Keep ``value`` under ``name``."""
        with self._database.write() as connection:
            _set_fact(connection, name, value)


def _set_fact(connection: sa.Connection, name: str, value: str) -> None:
    statement = insert(facts).values(name=name, value=value)
    connection.execute(statement.on_conflict_do_update(index_elements=[facts.c.name], set_={"value": value}))


def _record(row: sa.Row[tuple[object, ...]]) -> RevisionRecord:
    values = dict(row._mapping)
    del values["sequence"]
    values["findings"] = tuple(json.loads(values["findings"]))
    values["verdict"] = Verdict(values["verdict"])
    return RevisionRecord(**values)
