"""Records of approvals: what the forge said of commits, what was decided, and how far environments have gone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.sqlite import insert

from reconciler.approval.admission import Admission, Decision
from reconciler.approval.evidence import Change
from reconciler.store.audit import Happened, append
from reconciler.store.database import Database
from reconciler.store.tables import admissions, decisions, facts, received, reviewed

_CHANGE: TypeAdapter[Change] = TypeAdapter(Change)
_UP_TO = "admittedUpTo"
_DECISION: TypeAdapter[Decision] = TypeAdapter(Decision)
_ADMISSION: TypeAdapter[Admission] = TypeAdapter(Admission)


@dataclass(frozen=True, slots=True)
class AdmissionRecord:
    """How far an environment has gone, and since when it has stood like that, in seconds since the epoch."""

    admission: Admission
    since: float


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What the forge said of a commit at ``at``; ``change`` is ``None`` where it came by none."""

    change: Change | None
    at: float


class ApprovalStore:
    """Reads and writes approvals."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def admissions(self) -> dict[str, AdmissionRecord]:
        """Return how far each environment has gone, by its name."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(admissions)).all()
        return {row.environment: _admission(row) for row in rows}

    def decisions(self, commit: str) -> dict[str, Decision]:
        """Return what was last decided of a commit, by environment."""
        query = sa.select(decisions.c.environment, decisions.c.document).where(decisions.c.commit == commit)
        with self._database.read() as connection:
            return {row.environment: _DECISION.validate_json(row.document) for row in connection.execute(query)}

    def up_to(self) -> str | None:
        """Return the commit up to which the branch was looked at; ``None`` before the first look."""
        with self._database.read() as connection:
            found: str | None = connection.scalar(sa.select(facts.c.value).where(facts.c.name == _UP_TO))
        return found

    def decision(self, facts: str) -> Decision:
        """Return the decision that a record of the audit chain tells of."""
        return _DECISION.validate_json(facts)

    def record(
        self, found: Iterable[Admission], decided: Iterable[Decision], up_to: str, now: float
    ) -> tuple[Admission, ...]:
        """Keep what is new of these, each with its record in the audit chain.

        Args:
            found: how far every environment goes now; those left out are forgotten.
            decided: what was decided of commits.
            up_to: the commit up to which the branch was looked at.
            now: seconds since the epoch.

        Returns:
            the admissions that stand otherwise than before.
        """
        found = tuple(found)
        with self._database.write() as connection:
            before = {row.environment: _admission(row) for row in connection.execute(sa.select(admissions))}
            told = [item for item in found if not _stands_alike(before.get(item.environment), item)]
            for item in found:
                if (known := before.get(item.environment)) is None or known.admission != item:
                    _keep(connection, item, now if known is None or item in told else known.since)
            gone = before.keys() - {item.environment for item in found}
            connection.execute(sa.delete(admissions).where(admissions.c.environment.in_(gone)))
            statement = insert(facts).values(name=_UP_TO, value=up_to)
            connection.execute(
                statement.on_conflict_do_update(index_elements=[facts.c.name], set_={"value": up_to})
            )
            append(connection, now, Happened.DECIDED, _new_decisions(connection, decided, now))
            append(connection, now, Happened.ADMITTED, [_told(item) for item in told])
        return tuple(told)

    def reviewed(self, commit: str) -> Reviewed | None:
        """Return what the forge said of a commit, as far as it was asked."""
        query = sa.select(reviewed).where(reviewed.c.commit == commit)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return Reviewed(_CHANGE.validate_json(row.document) if row.document is not None else None, row.at)

    def received(self, name: str, now: float) -> float:
        """Return when a commit or tag was first looked at, in seconds since the epoch: now, if it never was."""
        statement = insert(received).values(object=name, at=now).on_conflict_do_nothing()
        query = sa.select(received.c.at).where(received.c.object == name)
        with self._database.read() as connection:
            found: float | None = connection.scalar(query)
        if found is None:
            with self._database.write() as connection:
                connection.execute(statement)
            found = now
        return found

    def record_reviewed(self, commit: str, change: Change | None, now: float) -> None:
        """Keep what the forge said of a commit; on the audit chain where it is new."""
        document = _CHANGE.dump_json(change).decode("utf-8") if change is not None else None
        with self._database.write() as connection:
            known = connection.execute(sa.select(reviewed).where(reviewed.c.commit == commit)).one_or_none()
            statement = insert(reviewed).values(commit=commit, at=now, document=document)
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=[reviewed.c.commit], set_={"at": now, "document": document}
                )
            )
            if known is None or known.document != document:
                told = json.loads(document) if document is not None else None
                append(connection, now, Happened.EVIDENCE_SEEN, [{"commit": commit, "change": told}])


def _stands_alike(known: AdmissionRecord | None, item: Admission) -> bool:
    """Return whether nothing is to be told: it stands as before, though more may have been looked at."""
    return known is not None and replace(known.admission, examined=item.examined) == item


def _keep(connection: sa.Connection, item: Admission, since: float) -> None:
    values = {
        "commit": item.commit,
        "examined": item.examined,
        "state": item.state,
        "blocked": item.blocked,
        "reasons": json.dumps(item.reasons),
        "since": since,
        "document": _ADMISSION.dump_json(item).decode("utf-8"),
    }
    statement = insert(admissions).values(environment=item.environment, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=[admissions.c.environment], set_=values))


def _new_decisions(connection: sa.Connection, decided: Iterable[Decision], now: float) -> list[dict[str, Any]]:
    told = []
    for decision in decided:
        document = _DECISION.dump_json(decision).decode("utf-8")
        known = connection.scalar(
            sa.select(decisions.c.document).where(
                decisions.c.commit == decision.commit, decisions.c.environment == decision.environment
            )
        )
        if known == document:
            continue
        statement = insert(decisions).values(
            commit=decision.commit, environment=decision.environment, at=now, document=document
        )
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[decisions.c.commit, decisions.c.environment],
                set_={"at": now, "document": document},
            )
        )
        told.append(json.loads(document))
    return told


def _told(item: Admission) -> Mapping[str, Any]:
    told = asdict(replace(item, known=()))
    return {**told, "reasons": list(item.reasons), "taken": [[*taken.key, taken.at] for taken in item.taken]}


def _admission(row: sa.Row[Any]) -> AdmissionRecord:
    found = _ADMISSION.validate_json(row.document)
    return AdmissionRecord(found, row.since)
