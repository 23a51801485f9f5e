"""Short-lived permissions to fetch one artifact, for hosts that have no key of their own. In memory only."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass

TICKET_SECONDS = 3600.0
"""Seconds that a ticket is good for: as long as a host is given to fetch a file."""

DOWNLOADS = "/push/v1/files/"
"""GET with a ticket and the file's name appended; honours Range."""


@dataclass(frozen=True, slots=True)
class _Ticket:
    sha256: str
    expires_at: float


class Tickets:
    """The tickets of one daemon. A restart ends them all; whoever fetches then asks for a new one."""

    def __init__(self) -> None:
        self._tickets: dict[str, _Ticket] = {}
        self._lock = threading.Lock()

    def issue(self, sha256: str, now: float) -> str:
        """Return a new ticket for the artifact with this hash.

        Args:
            sha256: the artifact's.
            now: seconds since the epoch.
        """
        ticket = secrets.token_urlsafe(32)
        with self._lock:
            self._tickets = {name: kept for name, kept in self._tickets.items() if kept.expires_at > now}
            self._tickets[ticket] = _Ticket(sha256, now + TICKET_SECONDS)
        return ticket

    def redeem(self, ticket: str, now: float) -> str | None:
        """Return the hash that a ticket is for, or ``None``. It stays good: a download may break off."""
        with self._lock:
            found = self._tickets.get(ticket)
        return found.sha256 if found is not None and found.expires_at > now else None

    def withdraw(self, ticket: str) -> None:
        """End a ticket: the file is there."""
        with self._lock:
            self._tickets.pop(ticket, None)
