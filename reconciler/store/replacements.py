"""Records of requests to replace a host's key or environment, and of what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from reconciler.store.audit import Happened, append
from reconciler.store.database import Database
from reconciler.store.tables import facts, hosts, machines, replacements

_CHANGES = "identityChanges"


class ReplacementState(StrEnum):
    """What became of a request."""

    PENDING = "pending"
    REPLACED = "replaced"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Replacement:
    """One request to replace a host's key or environment. Times are in seconds since the epoch.

    ``key_sha256`` and ``environment`` are what it asks for, ``old_key_sha256`` and ``old_environment`` what was in
    force. ``token`` holds the first digits of the hash of the token that it came with, and ``address`` where it
    came from. ``decided_by`` names the person, or the token that was made for the host.
    """

    number: int
    host: str
    key_sha256: str
    environment: str
    old_key_sha256: str
    old_environment: str
    token: str
    address: str
    asked_at: float
    state: ReplacementState
    decided_at: float | None
    decided_by: str

    @property
    def fingerprint(self) -> str:
        """What people call the new key by."""
        return key_fingerprint(self.key_sha256)


def key_fingerprint(key_sha256: str) -> str:
    """Return what people call a key by: the first digits of its hash, which host and server both show."""
    return key_sha256[:12]


@dataclass(frozen=True, slots=True)
class Asking:
    """A request as it comes in, for a host that is known. ``token`` holds the first digits of its token's hash."""

    host: str
    key_sha256: str
    environment: str
    token: str
    address: str


class ReplacementStore:
    """Reads and writes requests."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pending(self) -> tuple[Replacement, ...]:
        """Return the requests that wait for a decision, the oldest first."""
        return self._read(replacements.c.state == ReplacementState.PENDING)

    def done(self) -> tuple[Replacement, ...]:
        """Return the requests by which a host was replaced, the oldest first."""
        return self._read(replacements.c.state == ReplacementState.REPLACED)

    def of(self, host: str) -> tuple[Replacement, ...]:
        """Return every request for a host, the oldest first."""
        return self._read(replacements.c.host == host)

    def ask(self, asking: Asking, now: float) -> Replacement:
        """Keep a request, unless it is on record, and return it as it stands."""
        same = [getattr(replacements.c, name) == getattr(asking, name) for name in ("host", "key_sha256", "token")]
        query = sa.select(replacements).where(*same).order_by(replacements.c.number.desc()).limit(1)
        with self._database.write() as connection:
            row = connection.execute(query).one_or_none()
            if row is None:
                known = connection.execute(sa.select(hosts).where(hosts.c.name == asking.host)).one()
                values = {
                    **{name: getattr(asking, name) for name in Asking.__slots__},
                    "old_key_sha256": known.key_sha256,
                    "old_environment": known.environment,
                    "asked_at": now,
                    "state": ReplacementState.PENDING,
                }
                connection.execute(sa.insert(replacements).values(values))
                row = connection.execute(query).one()
                append(connection, now, Happened.REPLACEMENT_ASKED, [_told(_record(row), "")])
        return _record(row)

    def decide(self, request: Replacement, *, approved: bool, by: str, now: float) -> bool:
        """Keep a decision, and where it is approved give the host its new key and environment.

        Returns:
            False where it was decided meanwhile.
        """
        state = ReplacementState.REPLACED if approved else ReplacementState.REFUSED
        with self._database.write() as connection:
            taken = connection.execute(
                sa.update(replacements)
                .where(replacements.c.number == request.number)
                .where(replacements.c.state == ReplacementState.PENDING)
                .values(state=state, decided_at=now, decided_by=by)
            )
            if taken.rowcount != 1:
                return False
            if approved:
                connection.execute(
                    sa.update(hosts)
                    .where(hosts.c.name == request.host)
                    .values(key_sha256=request.key_sha256, environment=request.environment)
                )
                connection.execute(sa.delete(machines).where(machines.c.host == request.host))
            happened = Happened.HOST_REPLACED if approved else Happened.REPLACEMENT_REFUSED
            append(connection, now, happened, [_told(request, by)])
            count_change(connection)
        return True

    def changes(self) -> int:
        """Return a number that grows with each decision: who keeps keys in memory reads them again then."""
        with self._database.read() as connection:
            return int(connection.scalar(sa.select(facts.c.value).where(facts.c.name == _CHANGES)) or 0)

    def _read(self, condition: sa.ColumnElement[bool]) -> tuple[Replacement, ...]:
        query = sa.select(replacements).where(condition).order_by(replacements.c.number)
        with self._database.read() as connection:
            return tuple(_record(row) for row in connection.execute(query))


def record_replaced(connection: sa.Connection, request: Replacement) -> None:
    """Keep a replacement that needed no decision, in the transaction that makes it."""
    values = {name: getattr(request, name) for name in Replacement.__slots__ if name != "number"}
    connection.execute(sa.insert(replacements).values(values))
    connection.execute(sa.delete(machines).where(machines.c.host == request.host))
    append(connection, request.asked_at, Happened.HOST_REPLACED, [_told(request, request.decided_by)])
    count_change(connection)


def count_change(connection: sa.Connection) -> None:
    """Let `ReplacementStore.changes` grow, in the transaction of a decision."""
    row = insert(facts).values(name=_CHANGES, value="1")
    grown = sa.cast(sa.cast(facts.c.value, sa.Integer) + 1, sa.Text)
    connection.execute(row.on_conflict_do_update(index_elements=[facts.c.name], set_={"value": grown}))


def _told(request: Replacement, by: str) -> dict[str, object]:
    return {
        "host": request.host,
        "key": request.key_sha256,
        "environment": request.environment,
        "oldKey": request.old_key_sha256,
        "oldEnvironment": request.old_environment,
        "token": request.token,
        "address": request.address,
        "by": by,
    }


def _record(row: sa.Row[tuple[object, ...]]) -> Replacement:
    values = dict(row._mapping)
    return Replacement(**{**values, "state": ReplacementState(values["state"])})
