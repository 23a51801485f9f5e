"""Who is enrolled, who was seen when, and who should have what: in memory, for the hot path.

Holds nothing that cannot be had again from the store; what changes often is written there in batches.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.kernel.assignment import Assignment, Goal, Hold
from reconciler.store.hosts import HostRecord
from reconciler.store.machines import MachineRecord, MachineState

Starts = Mapping[str, tuple[MachineRecord, ...]]
"""The starts of agents that are on record, by host."""


@dataclass(slots=True)
class Member:
    """One enrolled host. Digests are as in the protocol; ``assigned`` is empty before its first assignment."""

    name: str
    enrolled_into: str
    environment: str
    key_sha256: str
    last_seen: float
    busy: str | None
    report: str
    assigned: str
    revision: str
    goals: tuple[Goal, ...] | None = None
    """What is wanted; ``None`` until it was worked out since the start of the daemon."""
    hold: Hold | None = None
    silent: bool = False
    pushed: bool = False
    """Whether the server reaches the host itself, by WinRM."""
    failing: bool = False
    """Whether what it last said bore on what other hosts may begin: it told of a failed attempt."""
    run: bytes = b""
    """The start of its agent that speaks for it; empty before one has named itself."""
    sequence: int = 0
    """The number of the last check-in of that start."""
    starts: tuple[MachineRecord, ...] = ()
    """The starts of its agent that are on record, quarantined ones among them."""

    @property
    def assignment(self) -> Assignment | None:
        """What the host should have now, or ``None`` where that is not known (yet)."""
        if self.goals is None:
            return None
        return Assignment(self.name, self.environment, self.revision, self.goals, self.hold)


class Roster:
    """The enrolled hosts. Safe for use by handlers in threads beside the event loop."""

    def __init__(self, records: Iterable[HostRecord], starts: Starts | None = None) -> None:
        self._members = {record.name: _member(record) for record in records}
        self._replaced: Mapping[str, str] = {}
        self._seen: set[str] = set()
        self._lock = threading.Lock()
        for name, known in (starts or {}).items():
            if (member := self._members.get(name)) is not None:
                know_starts(member, known)

    def __len__(self) -> int:
        return len(self._members)

    def members(self) -> tuple[Member, ...]:
        """Return every member, in no order."""
        return tuple(self._members.values())

    def find(self, name: str) -> Member | None:
        """Return the member of that name, or ``None``."""
        return self._members.get(name)

    def authenticate(self, name: str, key_sha256: str) -> Member | None:
        """Return the member that ``name`` and the hash of its key prove, or ``None``."""
        member = self._members.get(name)
        if member is None or not hmac.compare_digest(member.key_sha256, key_sha256):
            return None
        return member

    def why_unknown(self, key_sha256: str) -> str:
        """Return why a key proves nothing any more; empty where it never proved anything."""
        return self._replaced.get(key_sha256, "")

    def refresh(self, keys: Iterable[tuple[str, str, str]], starts: Starts, replaced: Mapping[str, str]) -> None:
        """Take over what people have decided of hosts' keys and machines.

        Args:
            keys: name, environment and hash of the key of every host.
            starts: the starts of their agents that are on record.
            replaced: by the hash of a key that was replaced, why it proves nothing any more.
        """
        self._replaced = replaced
        for name, environment, key_sha256 in keys:
            if (member := self._members.get(name)) is not None:
                member.enrolled_into, member.key_sha256 = environment, key_sha256
                know_starts(member, starts.get(name, ()))

    def enrol(self, record: HostRecord) -> Member:
        """Take in a host that has just enrolled, or enrolled anew."""
        member = _member(record)
        with self._lock:
            self._members[record.name] = member
        return member

    def leave(self, name: str) -> None:
        """Forget a host."""
        with self._lock:
            self._members.pop(name, None)

    def saw(self, member: Member, busy: str | None, now: float) -> None:
        """Note that a host spoke at ``now``, seconds since the epoch."""
        member.last_seen = now
        member.busy = busy
        self._seen.add(member.name)

    def take_seen(self) -> list[tuple[str, float, str | None]]:
        """Return who was seen since the last call, for the store."""
        with self._lock:
            names, self._seen = self._seen, set()
        return [(m.name, m.last_seen, m.busy) for name in names if (m := self._members.get(name)) is not None]

    def give_back(self, names: Iterable[str]) -> None:
        """Have `take_seen` return these again: what it returned could not be written."""
        with self._lock:
            self._seen.update(names)

    def assign(self, new: Mapping[str, tuple[Assignment, str]]) -> None:
        """Give hosts what they should have: assignment and digest by host name.

        An unchanged digest keeps the revision that it first came with.
        """
        for name, (assignment, digest) in new.items():
            member = self._members.get(name)
            if member is None:
                continue
            if member.assigned != digest:
                member.revision = assignment.revision
            member.environment = assignment.environment
            member.goals = assignment.goals
            member.hold = assignment.hold
            member.assigned = digest


def know_starts(member: Member, starts: tuple[MachineRecord, ...]) -> None:
    """Keep in memory which start of its agent speaks for a host."""
    current = next((start.run for start in starts if start.state is MachineState.CURRENT), "")
    run = current.encode()
    if member.run != run:
        member.sequence = 0
    member.run, member.starts = run, starts


def _member(record: HostRecord) -> Member:
    return Member(
        name=record.name,
        enrolled_into=record.environment,
        environment=record.environment,
        key_sha256=record.key_sha256,
        last_seen=record.last_seen,
        busy=record.busy,
        report=record.report_digest,
        assigned=record.assigned,
        revision=record.assigned_revision,
        failing=record.failing,
    )
