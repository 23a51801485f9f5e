"""Records of where each package of each host stands, and of every change of that."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from reconciler.kernel.status import Health, Reason, Sync
from reconciler.store.database import Database
from reconciler.store.tables import standings, transitions


@dataclass(frozen=True, slots=True)
class PackageStanding:
    """Where a package of a host stands. An empty ``package`` stands for the host itself."""

    host: str
    package: str
    sync: Sync
    health: Health
    reason: Reason
    installed: str | None
    wanted: str | None
    message: str = ""

    @property
    def words(self) -> str:
        """The standing in one short phrase."""
        return f"{self.sync}/{self.health}/{self.reason}"


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of a standing, at a time in seconds since the epoch."""

    at: float
    host: str
    package: str
    before: str
    after: str
    message: str


@dataclass(frozen=True, slots=True)
class KeptStanding:
    """Where a package of a host was last found to stand, and since when, in seconds since the epoch."""

    sync: Sync
    health: Health
    wanted: str | None
    since: float


class StandingStore:
    """Reads and writes standings and transitions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def update(self, host: str, now_standing: Iterable[PackageStanding], now: float) -> tuple[Transition, ...]:
        """Keep where a host's packages stand; packages that are no longer among them are forgotten.

        Returns:
            what changed, each also kept for good.
        """
        new = {standing.package: standing for standing in now_standing}
        with self._database.write() as connection:
            rows = connection.execute(sa.select(standings).where(standings.c.host == host)).all()
            before = {row.package: f"{row.sync}/{row.health}/{row.reason}" for row in rows}
            wanted = {row.package: row.wanted for row in rows}
            changes = [
                Transition(now, host, package, before.get(package, ""), standing.words, standing.message)
                for package, standing in new.items()
                if before.get(package) != standing.words
            ]
            gone = [
                Transition(now, host, package, before[package], "", "") for package in before if package not in new
            ]
            for standing in new.values():
                kept = (before.get(standing.package), wanted.get(standing.package))
                connection.execute(_upsert(standing, now, unchanged=kept == (standing.words, standing.wanted)))
            for transition in gone:
                connection.execute(
                    sa.delete(standings).where(standings.c.host == host, standings.c.package == transition.package)
                )
            everything = (*changes, *gone)
            if everything:
                connection.execute(
                    sa.insert(transitions),
                    [
                        {
                            "at": t.at,
                            "host": t.host,
                            "package": t.package,
                            "before": t.before,
                            "after": t.after,
                            "message": t.message,
                        }
                        for t in everything
                    ],
                )
        return everything

    def since(self, host: str) -> dict[str, float]:
        """Return since when each of a host's packages stands as it does, by the same wish."""
        query = sa.select(standings.c.package, standings.c.since).where(standings.c.host == host)
        with self._database.read() as connection:
            return {row.package: row.since for row in connection.execute(query)}

    def of_package(self, package: str) -> dict[str, KeptStanding]:
        """Return where a package was last found to stand, by host."""
        query = sa.select(standings).where(standings.c.package == package)
        with self._database.read() as connection:
            return {
                row.host: KeptStanding(Sync(row.sync), Health(row.health), row.wanted, row.since)
                for row in connection.execute(query)
            }

    def degradations(self, package: str, reason: Reason) -> tuple[Transition, ...]:
        """Return every time that a package was found degraded for a reason, whatever host it was on, the oldest
        first.
        """
        query = (
            sa.select(transitions)
            .where(transitions.c.package == package)
            .where(transitions.c.after.like(f"%/{Health.DEGRADED}/{reason}"))
            .order_by(transitions.c.sequence)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return tuple(Transition(row.at, row.host, row.package, row.before, row.after, row.message) for row in rows)

    def last_transition(self) -> int:
        """Return the number of the newest transition, 0 where there is none."""
        with self._database.read() as connection:
            return connection.scalar(sa.select(sa.func.max(transitions.c.sequence))) or 0

    def degraded(self) -> tuple[PackageStanding, ...]:
        """Return the packages on hosts that failed or need a person."""
        return self._read(standings.c.health == Health.DEGRADED, standings.c.package != "")

    def of_hosts(self, hosts: Collection[str]) -> tuple[PackageStanding, ...]:
        """Return where the packages of these hosts stand."""
        wanted = sa.text("SELECT value FROM json_each(:names)").bindparams(names=json.dumps(sorted(hosts)))
        return self._read(standings.c.host.in_(wanted), standings.c.package != "")

    def _read(self, *conditions: sa.ColumnElement[bool]) -> tuple[PackageStanding, ...]:
        columns = (getattr(standings.c, field.name) for field in fields(PackageStanding))
        query = sa.select(*columns).where(*conditions).order_by(standings.c.host, standings.c.package)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return tuple(
            PackageStanding(
                row.host,
                row.package,
                Sync(row.sync),
                Health(row.health),
                Reason(row.reason),
                row.installed,
                row.wanted,
                row.message,
            )
            for row in rows
        )

    def transitions(
        self, *, host: str | None = None, package: str | None = None, limit: int = 50
    ) -> tuple[Transition, ...]:
        """Return the newest changes, the newest first.

        Args:
            host: only this host's.
            package: only this package's.
            limit: how many at most.
        """
        query = sa.select(transitions).order_by(transitions.c.sequence.desc()).limit(limit)
        if host is not None:
            query = query.where(transitions.c.host == host)
        if package is not None:
            query = query.where(transitions.c.package == package)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return tuple(Transition(row.at, row.host, row.package, row.before, row.after, row.message) for row in rows)


def _upsert(standing: PackageStanding, now: float, *, unchanged: bool) -> sa.Insert:
    values = {
        "sync": standing.sync,
        "health": standing.health,
        "reason": standing.reason,
        "installed": standing.installed,
        "wanted": standing.wanted,
        "message": standing.message,
    }
    statement = insert(standings).values(host=standing.host, package=standing.package, since=now, **values)
    changed = values if unchanged else {**values, "since": now}
    return statement.on_conflict_do_update(index_elements=[standings.c.host, standings.c.package], set_=changed)
