"""What planning and status know of a host."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.kernel.assignment import Assignment
from reconciler.kernel.observation import Observation


@dataclass(frozen=True, slots=True)
class KnownHost:
    """A host that a file names or that has enrolled.

    ``assignment`` is what it should have, ``assigned`` the digest of that, ``acknowledged`` the digest of what
    it last said that it works from. ``observation`` is ``None`` before its first report and ``last_seen``
    ``None`` before it enrolled; times are in seconds since the epoch.
    """

    name: str
    environment: str
    assignment: Assignment
    assigned: str
    acknowledged: str = ""
    observation: Observation | None = None
    last_seen: float | None = None
    busy: str | None = None
