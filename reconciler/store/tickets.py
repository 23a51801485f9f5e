"""Short-lived permissions to fetch one artifact, for hosts without a key. Only their hashes are kept."""

from __future__ import annotations

import sqlalchemy as sa

from reconciler.store.database import Database
from reconciler.store.tables import tickets


class TicketStore:
    """Reads and writes tickets. Whoever has the database may issue them, and the daemon redeems them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, ticket_sha256: str, artifact: str, now: float, expires_at: float) -> None:
        """Keep a ticket, and forget those that are over.

        Args:
            ticket_sha256: its hash.
            artifact: the hash of the artifact that it is for.
            now: seconds since the epoch.
            expires_at: when it is over, likewise.
        """
        with self._database.write() as connection:
            connection.execute(sa.delete(tickets).where(tickets.c.expires_at <= now))
            connection.execute(
                sa.insert(tickets).values(ticket_sha256=ticket_sha256, artifact=artifact, expires_at=expires_at)
            )

    def artifact_of(self, ticket_sha256: str, now: float) -> str | None:
        """Return the hash of the artifact that a ticket is good for at ``now``, or ``None``."""
        query = sa.select(tickets.c.artifact).where(
            tickets.c.ticket_sha256 == ticket_sha256, tickets.c.expires_at > now
        )
        with self._database.read() as connection:
            artifact: str | None = connection.scalar(query)
        return artifact

    def drop(self, ticket_sha256: str) -> None:
        """End a ticket."""
        with self._database.write() as connection:
            connection.execute(sa.delete(tickets).where(tickets.c.ticket_sha256 == ticket_sha256))
