"""Decides when a message goes out: gathered, bounded in an hour, and tried again after failures. Pure."""

from __future__ import annotations

from collections.abc import Sequence

HOUR = 3600.0

GIVE_UP_SECONDS = 24 * HOUR
"""Seconds of failures in a row after which a message is tried no more."""

_FIRST_SECONDS = 5.0
_LONGEST_SECONDS = 900.0


def due_at(oldest: float, gather: float, most_per_hour: int, sent: Sequence[float]) -> float:
    """Return when what waits is to go out as one message, in seconds since the epoch.

    Args:
        oldest: since when the oldest notice has waited.
        gather: the seconds for which notices are gathered.
        most_per_hour: how many messages may go out within an hour.
        sent: when messages went out within the last hour, the oldest first.
    """
    due = oldest + gather
    if len(sent) >= most_per_hour:
        due = max(due, sent[-most_per_hour] + HOUR)
    return due


def delay_after(failures: int) -> float:
    """Return the seconds until the next try, after so many failures in a row: 5 s, doubled up to 15 minutes."""
    return float(min(_FIRST_SECONDS * 2 ** min(failures - 1, 30), _LONGEST_SECONDS))
