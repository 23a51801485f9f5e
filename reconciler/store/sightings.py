"""Records of what was seen of changes at a forge while they were open, and of the accounts that it named."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.sqlite import insert

from reconciler.approval.sightings import Seen
from reconciler.desired.people import Identity, fold
from reconciler.store.database import Database
from reconciler.store.tables import forge_accounts, sightings

_SEEN: TypeAdapter[Seen] = TypeAdapter(Seen)


class SightingStore:
    """Reads and writes what was seen. ``forge`` names a project at a forge: numbers of changes are its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def seen(self, forge: str, change: str) -> Seen:
        """Return what was seen of a change; nothing before the first look."""
        query = sa.select(sightings.c.document).where(sightings.c.forge == forge, sightings.c.change == change)
        with self._database.read() as connection:
            document = connection.scalar(query)
        return _SEEN.validate_json(document) if document is not None else Seen()

    def keep(self, forge: str, change: str, seen: Seen, now: float) -> None:
        """Keep what was seen of a change.

        Args:
            forge: the project at a forge.
            change: the change's name there.
            seen: all that was seen of it.
            now: seconds since the epoch.
        """
        document = _SEEN.dump_json(seen).decode("utf-8")
        statement = insert(sightings).values(forge=forge, change=change, at=now, document=document)
        with self._database.write() as connection:
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=[sightings.c.forge, sightings.c.change],
                    set_={"at": now, "document": document},
                    where=sightings.c.document != document,
                )
            )

    def pins(self, forge: str, accounts: Mapping[Identity, str], now: float) -> dict[Identity, str]:
        """Return the ids that accounts had when they were first seen; those that are new are seen now.

        Args:
            forge: the project at a forge.
            accounts: the ids by the names that they have now.
            now: seconds since the epoch.
        """
        if not accounts:
            return {}
        names = {fold(identity): account for identity, account in accounts.items()}
        query = sa.select(forge_accounts).where(forge_accounts.c.forge == forge, forge_accounts.c.name.in_(names))
        with self._database.read() as connection:
            known = {row.name: row.account for row in connection.execute(query)}
        missing = [
            {"forge": forge, "name": name, "account": account, "at": now}
            for name, account in sorted(names.items())
            if name not in known
        ]
        if missing:
            with self._database.write() as connection:
                connection.execute(insert(forge_accounts).on_conflict_do_nothing(), missing)
                known |= {row.name: row.account for row in connection.execute(query)}
        return {identity: known[fold(identity)] for identity in accounts}
