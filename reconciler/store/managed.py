"""Records which packages each host was ever asked to have: only those may be pruned from it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from reconciler.store.database import Database
from reconciler.store.tables import managed


class ManagedStore:
    """Reads and writes which packages are managed where."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> dict[str, frozenset[str]]:
        """Return the managed packages of every host that has some."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(managed.c.host, managed.c.package)).all()
        found: dict[str, set[str]] = {}
        for row in rows:
            found.setdefault(row.host, set()).add(row.package)
        return {host: frozenset(packages) for host, packages in found.items()}

    def replace(self, packages: Mapping[str, Iterable[str]]) -> None:
        """Keep what is managed on these hosts from now on; other hosts are left as they are."""
        hosts = json.dumps(list(packages))
        pairs = json.dumps([[host, package] for host, names in packages.items() for package in names])
        forget = sa.text("DELETE FROM managed WHERE host IN (SELECT value FROM json_each(:hosts))")
        keep = sa.text(
            "INSERT INTO managed (host, package) "
            "SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:pairs)"
        )
        with self._database.write() as connection:
            connection.execute(forget, {"hosts": hosts})
            connection.execute(keep, {"pairs": pairs})
