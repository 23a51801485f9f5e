"""Counts connections, and decides which one ends when there are too many. Does no I/O of its own.

A connection is unauthenticated until a request on it carries a valid host key or the password of an account. A new
connection is always admitted. Where there are too many, the oldest unauthenticated one ends: an honest client
authenticates within a few round trips, so it is hardly ever the oldest. An authenticated connection ends for a new
one only where no unauthenticated one is left.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

MOST_PER_IDENTITY = 32
"""Connections of one host or one account. An agent holds one or two; git and a browser open a few at a time."""


class Ended(StrEnum):
    """Why a connection ended before its client ended it."""

    HANDSHAKE = "the TLS handshake failed or took too long"
    SLOW = "a request took too long to arrive"
    HEAD = "the head of a request is too long"
    UNREAD = "the client did not read the answer"
    CROWDED = "too many unauthenticated connections"
    CROWDED_ADDRESS = "too many unauthenticated connections from one address"
    CROWDED_IDENTITY = "too many connections of one host or account"
    FULL = "no free file descriptors"


@dataclass(frozen=True, slots=True)
class Caps:
    """How many connections there may be: in total, unauthenticated ones, and those of one address."""

    total: int
    unauthenticated: int
    per_address: int


class Entry:
    """One connection.

    Args:
        address: its client's, as `address_group` gives it; empty where the limit per address does not apply.
        end: ends it at once, at whatever stage it is. May be called more than once.
    """

    __slots__ = ("_book", "address", "end", "identity")

    def __init__(self, book: Connections, address: str, end: Callable[[], None]) -> None:
        self._book = book
        self.address = address
        self.end = end
        self.identity: str | None = None

    def vouch(self, identity: str) -> None:
        """Count it as authenticated. Implements `reconciler.hosts.vouching.Vouched`."""
        if self.identity is None:
            self._book.authenticated(self, identity)

    def count(self, why: Ended) -> None:
        """Count why it is being ended."""
        self._book.ended[why] += 1

    def gone(self) -> None:
        """Forget it: it has ended."""
        self._book.forget(self)


_Ordered = OrderedDict[Entry, None]


class Connections:
    """Every connection, the oldest first.

    Args:
        caps: how many there may be.
    """

    def __init__(self, caps: Caps) -> None:
        self.caps = caps
        self.ended: Counter[Ended] = Counter()
        self._strangers: _Ordered = OrderedDict()
        self._by_address: dict[str, _Ordered] = {}
        self._known: _Ordered = OrderedDict()
        self._by_identity: dict[str, _Ordered] = {}

    def __len__(self) -> int:
        return len(self._strangers) + len(self._known)

    @property
    def unauthenticated(self) -> int:
        """How many have not proved yet whose they are."""
        return len(self._strangers)

    def admit(self, address: str, end: Callable[[], None]) -> Entry:
        """Take in a new connection, and end an older one where there are too many.

        Args:
            address: its client's, as `address_group` gives it; empty where the limit per address does not apply.
            end: ends it at once.
        """
        if address:
            same = self._by_address.get(address, ())
            if len(same) >= self.caps.per_address:
                self._end(next(iter(same)), Ended.CROWDED_ADDRESS)
        if len(self._strangers) >= self.caps.unauthenticated:
            self._end(next(iter(self._strangers)), Ended.CROWDED)
        if len(self) >= self.caps.total:
            self.make_room()
        entry = Entry(self, address, end)
        self._strangers[entry] = None
        if address:
            self._by_address.setdefault(address, OrderedDict())[entry] = None
        return entry

    def make_room(self) -> bool:
        """End the oldest unauthenticated connection, or else the oldest one; return whether there was one."""
        entry = next(iter(self._strangers), None) or next(iter(self._known), None)
        if entry is None:
            return False
        self._end(entry, Ended.FULL)
        return True

    def authenticated(self, entry: Entry, identity: str) -> None:
        """Move a connection to those of its host or account."""
        if entry not in self._strangers:
            return  # it is being ended
        self._drop_stranger(entry)
        entry.identity = identity
        same = self._by_identity.setdefault(identity, OrderedDict())
        if len(same) >= MOST_PER_IDENTITY:
            self._end(next(iter(same)), Ended.CROWDED_IDENTITY)
            same = self._by_identity.setdefault(identity, OrderedDict())
        self._known[entry] = same[entry] = None

    def forget(self, entry: Entry) -> None:
        """Forget a connection that has ended."""
        if entry in self._strangers:
            self._drop_stranger(entry)
        elif entry in self._known:
            del self._known[entry]
            assert entry.identity is not None
            _drop(self._by_identity, entry.identity, entry)

    def end_all(self) -> None:
        """End every unauthenticated connection: the daemon stops."""
        for entry in tuple(self._strangers):
            entry.end()

    def _drop_stranger(self, entry: Entry) -> None:
        del self._strangers[entry]
        if entry.address:
            _drop(self._by_address, entry.address, entry)

    def _end(self, entry: Entry, why: Ended) -> None:
        self.ended[why] += 1
        self.forget(entry)
        entry.end()


def _drop(groups: dict[str, _Ordered], name: str, entry: Entry) -> None:
    group = groups.get(name)
    if group is not None:
        group.pop(entry, None)
        if not group:
            del groups[name]
