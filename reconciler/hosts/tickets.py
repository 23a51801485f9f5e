"""Gives hosts that have no key of their own short-lived permissions to fetch one artifact each."""

from __future__ import annotations

import secrets

from reconciler.kernel.protocol import hash_key
from reconciler.store.tickets import TicketStore

TICKET_SECONDS = 3600.0
"""Seconds that a ticket is good for: as long as a host is given to fetch a file."""

DOWNLOADS = "/push/v1/files/"
"""GET with a ticket and the file's name appended; honours Range."""


class Tickets:
    """The tickets of one installation. The daemon redeems those that other commands issue, too.

    Args:
        store: where their hashes are kept.
    """

    def __init__(self, store: TicketStore) -> None:
        self._store = store

    def issue(self, sha256: str, now: float) -> str:
        """Return a new ticket for the artifact with this hash.

        Args:
            sha256: the artifact's.
            now: seconds since the epoch.
        """
        ticket = secrets.token_urlsafe(32)
        self._store.add(hash_key(ticket), sha256, now, now + TICKET_SECONDS)
        return ticket

    def redeem(self, ticket: str, now: float) -> str | None:
        """Return the hash that a ticket is for, or ``None``. It stays good: a download may break off."""
        return self._store.artifact_of(hash_key(ticket), now)

    def withdraw(self, ticket: str) -> None:
        """End a ticket: the file is there."""
        self._store.drop(hash_key(ticket))
