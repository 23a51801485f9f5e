"""Retries: when the next try at a goal is due, by the cause of the last one; and a person's wish to try afresh."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from reconciler.kernel.attempts import Cause, Failure, Tally, cause_of, failure_of

SPREAD = 0.1
"""Share by which a delay is stretched at the most, so that hosts alike do not all come back in one second."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How tries follow each other: seconds to the first, growth with each further one, seconds at the most.

    ``most`` is the number of failed attempts at one goal after which there are no more; ``None`` where an attempt
    is not charged, and so is tried again without end.
    """

    first: float
    growth: float
    longest: float
    most: int | None


BACKOFFS: dict[Cause, Backoff] = {
    Cause.WAITED: Backoff(30.0, 2.0, 900.0, None),
    Cause.ARTIFACT_UNAVAILABLE: Backoff(30.0, 2.0, 3600.0, None),
    Cause.ARTIFACT_REFUSED: Backoff(60.0, 3.0, 3600.0, 8),
    Cause.FAILED: Backoff(30.0, 2.0, 3600.0, 8),
    Cause.PERMANENT: Backoff(3600.0, 6.0, 86_400.0, 4),
    Cause.OUR_FAULT: Backoff(600.0, 6.0, 3600.0, 3),
    Cause.PLAN_WRONG: Backoff(30.0, 2.0, 3600.0, None),
}
"""How tries follow each other, by the cause of the last one. Failures of all causes are counted together."""


@dataclass(frozen=True, slots=True)
class Tries:
    """How the tries at a goal stand, for people and programs.

    ``failed`` attempts of at the ``most``; ``most`` is ``None`` while the last one is not charged. ``waits`` are
    the tries since then that were not charged. ``next_at`` is in seconds since the epoch, ``None`` where there
    will be no other.
    """

    failed: int
    most: int | None
    waits: int
    cause: Cause
    exit_code: int | None
    next_at: float | None


@dataclass(frozen=True, slots=True)
class Retry:
    """Somebody's wish that tries be counted afresh: on one ``host``, or where that is empty in an ``environment``.

    ``number`` grows with each; ``at`` is in seconds since the epoch. One for a host is for the ``goal`` (its
    fingerprint without any retry) that it then had, and keeps as ``failure`` what that had come to, so that what
    is known of the release is not forgotten before the host has tried again.
    """

    number: int
    at: float
    asked_by: str
    reason: str
    package: str
    environment: str
    host: str = ""
    goal: str = ""
    failure: Failure | None = None


def next_try_at(tally: Tally, host: str) -> float | None:
    """Return when the next try is due, in seconds since the epoch; ``None`` when there will be none.

    Args:
        tally: the tries so far.
        host: the host's name. With the goal it spreads the tries of hosts that failed in the same moment, and
            always in the same way, so that host and server work out the same time.
    """
    backoff = BACKOFFS[cause_of(tally)]
    if backoff.most is None:
        tries = tally.waits
    elif tally.failures >= backoff.most:
        return None
    else:
        tries = tally.failures
    # The exponent is bounded, as a float is: any count that a host may name has to be borne.
    delay = min(backoff.first * backoff.growth ** min(max(tries - 1, 0), 20), backoff.longest)
    lot = zlib.crc32(f"{host.upper()} {tally.goal}".encode("utf-8", "replace")) / 0xFFFF_FFFF
    return tally.last_ended_at + delay * (1 + SPREAD * lot)


def tries_of(tally: Tally, host: str) -> Tries:
    """Return how the tries at a goal stand on ``host``."""
    cause = cause_of(tally)
    most = BACKOFFS[cause].most
    failure = failure_of(tally) if most is not None else None
    exit_code = failure.exit_code if failure is not None else None
    return Tries(tally.failures, most, tally.waits, cause, exit_code, next_try_at(tally, host))
