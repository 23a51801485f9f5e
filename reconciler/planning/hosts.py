"""What planning and status know of a host."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.kernel.assignment import Assignment
from reconciler.kernel.observation import Observation
from reconciler.kernel.status import Reason


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something about a host's identity that a person must decide on, with the command to do so."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class KnownHost:
    """A host that a file names or that has enrolled.

    ``assignment`` is what it should have, ``assigned`` the digest of that, ``acknowledged`` the digest of what
    it last said that it works from. ``observation`` is ``None`` before its first report and ``last_seen``
    ``None`` before it enrolled; times are in seconds since the epoch. ``trouble`` says why the server could not
    reach it, last time it tried; it is empty where it could, and for a host with an agent. ``alarm`` is set while
    the host's identity is in doubt.
    """

    name: str
    environment: str
    assignment: Assignment
    assigned: str
    acknowledged: str = ""
    observation: Observation | None = None
    last_seen: float | None = None
    busy: str | None = None
    trouble: str = ""
    alarm: Alarm | None = None


def is_silent(host: KnownHost, now: float, silent_after: float) -> bool:
    """Return whether nothing was heard of a host for so long that what it last said may not be so any more.

    Args:
        host: the host.
        now: seconds since the epoch.
        silent_after: seconds without a word after which a host counts as silent.
    """
    return host.last_seen is None or now - host.last_seen > silent_after
