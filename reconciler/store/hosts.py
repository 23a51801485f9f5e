"""Records of enrolled hosts and of the tokens they enrol with."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from reconciler.kernel.attempts import failure_of
from reconciler.kernel.observation import Observation
from reconciler.kernel.screening import read_stored
from reconciler.kernel.wire import encode
from reconciler.store.audit import Happened, append
from reconciler.store.database import Database
from reconciler.store.replacements import Replacement, ReplacementState, record_replaced
from reconciler.store.tables import enrolment_tokens, hosts


@dataclass(frozen=True, slots=True)
class HostRecord:
    """What is kept of a host. Times are in seconds since the epoch.

    ``report_digest`` and ``acknowledged`` are the digests of its last report and of the assignment it then
    worked from; ``assigned`` is the digest of the one it should work from. ``failing`` says that it told of a
    failed attempt at a goal that it is still held to. ``key_sha256`` is empty for a host that the server reaches
    itself, and ``trouble`` then says why it could not, last time; empty where it could.
    """

    name: str
    environment: str
    key_sha256: str
    enrolled_at: float
    last_seen: float
    busy: str | None
    reported_at: float | None
    report_digest: str
    acknowledged: str
    assigned: str
    assigned_revision: str
    assigned_at: float | None
    failing: bool
    observation: Observation | None
    trouble: str


@dataclass(frozen=True, slots=True)
class HostOutline:
    """An enrolled host without what it said: for work on all hosts that must not read every report."""

    name: str
    environment: str
    reported: bool


@dataclass(frozen=True, slots=True)
class EnrolmentToken:
    """A one-time permission to enrol. Only its hash is kept.

    ``host`` is the only host that it is for, ``None`` for any that is new. One that names its host may also
    replace that host's key or environment.
    """

    token_sha256: str
    environment: str
    expires_at: float
    used_by: str | None
    used_key_sha256: str | None
    host: str | None = None

    @property
    def shown(self) -> str:
        """The first digits of its hash: what people call it by."""
        return self.token_sha256[:12]


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A host that asks to be known: with which key, and from which address.

    ``placed`` says that a file of the desired state names the token's environment for it.
    """

    host: str
    key_sha256: str
    address: str
    placed: bool = False


class Enrolled(StrEnum):
    """What became of an enrolment.

    ``TOKEN_USED``: another host or key used the token meanwhile. ``NEEDS_DECISION``: the host has another key or
    environment, and the token does not name it.
    """

    DONE = "done"
    TOKEN_USED = "tokenUsed"  # noqa: S105 - no token
    NEEDS_DECISION = "needsDecision"


@dataclass(frozen=True, slots=True)
class Assigned:
    """The digest of what a host should have, and the revision that it first came from."""

    host: str
    digest: str
    revision: str


class HostStore:
    """Reads and writes hosts and tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> tuple[HostRecord, ...]:
        """Return every enrolled host, by name."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(hosts).order_by(hosts.c.name)).all()
        return tuple(_record(row) for row in rows)

    def outlines(self) -> tuple[HostOutline, ...]:
        """Return every enrolled host, in no order, without its report."""
        reported = hosts.c.reported_at.is_not(None)
        query = sa.select(hosts.c.name, hosts.c.environment, reported.label("reported"))
        with self._database.read() as connection:
            return tuple(HostOutline(*row) for row in connection.execute(query))

    def failing(self) -> frozenset[str]:
        """Return the names of the hosts that told of a failed attempt at a goal that they are still held to."""
        with self._database.read() as connection:
            return frozenset(connection.scalars(sa.select(hosts.c.name).where(hosts.c.failing)))

    def observations(self, names: Collection[str] | None = None) -> dict[str, Observation]:
        """Return what every host that ever reported last said, by its name.

        Args:
            names: only these hosts'.
        """
        query = sa.select(hosts.c.name, hosts.c.observation).where(hosts.c.observation.is_not(None))
        if names is not None:
            wanted = sa.text("SELECT value FROM json_each(:names)").bindparams(names=json.dumps(sorted(names)))
            query = query.where(hosts.c.name.in_(wanted))
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        found = ((row.name, read_stored(Observation, row.observation)) for row in rows)
        return {name: observation for name, observation in found if observation is not None}

    def find(self, name: str) -> HostRecord | None:
        """Return one host, or ``None``."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(hosts).where(hosts.c.name == name)).one_or_none()
        return _record(row) if row is not None else None

    def add_token(self, token: EnrolmentToken, now: float) -> None:
        """Keep a new enrolment token."""
        with self._database.write() as connection:
            connection.execute(
                sa.insert(enrolment_tokens).values(
                    token_sha256=token.token_sha256,
                    environment=token.environment,
                    created_at=now,
                    expires_at=token.expires_at,
                    host=token.host,
                )
            )
            told = {"token": token.shown, "environment": token.environment, "expiresAt": token.expires_at}
            append(
                connection, now, Happened.TOKEN_MADE, [{**told, **({"host": token.host} if token.host else {})}]
            )

    def find_token(self, token_sha256: str) -> EnrolmentToken | None:
        """Return a token, used or not, or ``None``."""
        table = enrolment_tokens
        with self._database.read() as connection:
            row = connection.execute(sa.select(table).where(table.c.token_sha256 == token_sha256)).one_or_none()
        if row is None:
            return None
        return EnrolmentToken(
            row.token_sha256, row.environment, row.expires_at, row.used_by, row.used_key_sha256, row.host
        )

    def enrol(self, asking: Enrolment, token: EnrolmentToken, now: float) -> Enrolled:
        """Enrol a new host with a token; or a known one with the key it has, or with a token that names it.

        The token is used up in any case: one that needs a decision lets nobody else in meanwhile.
        """
        with self._database.write() as connection:
            if not _use_token(connection, asking, token, now):
                return Enrolled.TOKEN_USED
            known = connection.execute(sa.select(hosts).where(hosts.c.name == asking.host)).one_or_none()
            if known is not None and not (
                known.key_sha256 == asking.key_sha256 and (asking.placed or known.environment == token.environment)
            ):
                if token.host is None:
                    return Enrolled.NEEDS_DECISION
                record_replaced(connection, _replacement(known, asking, token, now))
            row = insert(hosts).values(
                name=asking.host,
                environment=token.environment,
                key_sha256=asking.key_sha256,
                enrolled_at=now,
                last_seen=now,
            )
            connection.execute(
                row.on_conflict_do_update(
                    index_elements=[hosts.c.name],
                    set_={
                        "environment": token.environment,
                        "key_sha256": asking.key_sha256,
                        "last_seen": now,
                    },
                )
            )
            told = {
                "host": asking.host,
                "environment": token.environment,
                "token": token.shown,
                "keySha256": asking.key_sha256,
                "address": asking.address,
            }
            append(connection, now, Happened.HOST_ENROLLED, [told])
        return Enrolled.DONE

    def keys(self) -> tuple[tuple[str, str, str], ...]:
        """Return name, environment and hash of the key of every host."""
        query = sa.select(hosts.c.name, hosts.c.environment, hosts.c.key_sha256)
        with self._database.read() as connection:
            return tuple((row.name, row.environment, row.key_sha256) for row in connection.execute(query))

    def admit(self, name: str, environment: str, now: float) -> None:
        """Take in a host that the server reaches itself. It has no key, so nobody can speak for it."""
        row = insert(hosts).values(
            name=name, environment=environment, key_sha256="", enrolled_at=now, last_seen=now
        )
        with self._database.write() as connection:
            connection.execute(row.on_conflict_do_nothing(index_elements=[hosts.c.name]))

    def dismiss(self, name: str) -> None:
        """Forget a host that was admitted; one that has enrolled stays. Its attempts stay on record."""
        with self._database.write() as connection:
            connection.execute(sa.delete(hosts).where(hosts.c.name == name, hosts.c.key_sha256 == ""))

    def record_trouble(self, name: str, trouble: str) -> None:
        """Keep why a host could not be reached; empty text where it could."""
        with self._database.write() as connection:
            connection.execute(sa.update(hosts).where(hosts.c.name == name).values(trouble=trouble))

    def record_report(
        self, name: str, observation: Observation, digest: str, acknowledged: str, now: float
    ) -> None:
        """Keep what a host said of itself."""
        document = json.dumps(encode(observation), separators=(",", ":"))
        with self._database.write() as connection:
            connection.execute(
                sa.update(hosts)
                .where(hosts.c.name == name)
                .values(
                    observation=document,
                    report_digest=digest,
                    acknowledged=acknowledged,
                    reported_at=now,
                    last_seen=now,
                    failing=any(failure_of(tally) is not None for tally in observation.tallies),
                )
            )

    def record_seen(self, seen: Iterable[tuple[str, float, str | None]]) -> None:
        """Keep when hosts were last seen and what they were busy with, in one statement for all."""
        document = json.dumps([list(item) for item in seen])
        statement = sa.text(
            "UPDATE hosts SET last_seen = seen.at, busy = seen.busy FROM ("
            "SELECT json_extract(value, '$[0]') AS name, json_extract(value, '$[1]') AS at, "
            "json_extract(value, '$[2]') AS busy FROM json_each(:seen)"
            ") AS seen WHERE hosts.name = seen.name"
        )
        with self._database.write() as connection:
            connection.execute(statement, {"seen": document})

    def record_assigned(self, assigned: Iterable[Assigned], now: float) -> None:
        """Keep what hosts should have, in one statement for all. An unchanged digest keeps its revision."""
        document = json.dumps([[item.host, item.digest, item.revision] for item in assigned])
        statement = sa.text(
            "UPDATE hosts SET assigned = new.digest, assigned_revision = new.revision, assigned_at = :now FROM ("
            "SELECT json_extract(value, '$[0]') AS name, json_extract(value, '$[1]') AS digest, "
            "json_extract(value, '$[2]') AS revision FROM json_each(:assigned)"
            ") AS new WHERE hosts.name = new.name AND hosts.assigned <> new.digest "
            "RETURNING hosts.name, hosts.assigned, hosts.assigned_revision"
        )
        with self._database.write() as connection:
            changed = connection.execute(statement, {"assigned": document, "now": now}).all()
            alike: dict[tuple[str, str], list[str]] = {}
            for name, digest, revision in changed:
                alike.setdefault((revision, digest), []).append(name)
            append(
                connection,
                now,
                Happened.ASSIGNED,
                (
                    {"revision": revision, "assignment": digest, "hosts": sorted(names)}
                    for (revision, digest), names in sorted(alike.items())
                ),
            )


def _use_token(connection: sa.Connection, asking: Enrolment, token: EnrolmentToken, now: float) -> bool:
    """Mark a token as used; return whether that was still possible, or done by the same host and key before."""
    table = enrolment_tokens
    ours = sa.and_(table.c.used_by == asking.host, table.c.used_key_sha256 == asking.key_sha256)
    taken = connection.execute(
        sa.update(table)
        .where(table.c.token_sha256 == token.token_sha256)
        .where(sa.or_(table.c.used_by.is_(None), ours))
        .values(used_by=asking.host, used_key_sha256=asking.key_sha256, used_at=now)
    )
    return taken.rowcount == 1


def _replacement(
    known: sa.Row[tuple[object, ...]], asking: Enrolment, token: EnrolmentToken, now: float
) -> Replacement:
    return Replacement(
        number=0,
        host=asking.host,
        key_sha256=asking.key_sha256,
        environment=token.environment,
        old_key_sha256=known.key_sha256,
        old_environment=known.environment,
        token=token.shown,
        address=asking.address,
        asked_at=now,
        state=ReplacementState.REPLACED,
        decided_at=now,
        decided_by=f"token {token.shown}, made for this host",
    )


def _record(row: sa.Row[tuple[object, ...]]) -> HostRecord:
    values = dict(row._mapping)
    document = values.pop("observation")
    observation = read_stored(Observation, document) if document else None
    return HostRecord(**values, observation=observation)
