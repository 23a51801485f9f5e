"""Attempts at steps: what was tried, what came of it, and when the next try is due."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reconciler.kernel.steps import StepKind, Verb

FIRST_RETRY_DELAY = 30.0
"""Seconds between a first failure and the next try; doubled with every further failure."""

LONGEST_RETRY_DELAY = 3600.0
"""Seconds that a retry delay never exceeds."""

MOST_FAILURES = 8
"""Failed attempts at one goal after which a host stops trying until the goal changes."""


class Outcome(StrEnum):
    """How an attempt ended.

    ``WAITED`` means that something else held the installer (or a resource) up: no attempt is charged.
    ``PLAN_WRONG`` means that the installer found the host in another state than the plan: it is looked at again.
    ``UNHEALTHY`` means that it is so, but a health check fails; ``NOT_FINISHED`` that it is so, but a command that
    belongs after it failed.
    ``INTERRUPTED`` means that the agent or the host went down during the attempt; what became of it is found
    by looking again.
    """

    SUCCEEDED = "succeeded"
    SUCCEEDED_REBOOT_NEEDED = "succeededRebootNeeded"
    FAILED = "failed"
    FAILED_ROLLED_BACK = "failedRolledBack"
    NOT_CONFIRMED = "notConfirmed"
    ARTIFACT_REFUSED = "artifactRefused"
    ARTIFACT_UNAVAILABLE = "artifactUnavailable"
    WAITED = "waited"
    PLAN_WRONG = "planWrong"
    UNHEALTHY = "unhealthy"
    NOT_FINISHED = "notFinished"
    INTERRUPTED = "interrupted"


CHARGED = frozenset(
    {
        Outcome.FAILED,
        Outcome.FAILED_ROLLED_BACK,
        Outcome.NOT_CONFIRMED,
        Outcome.ARTIFACT_REFUSED,
        Outcome.INTERRUPTED,
        Outcome.UNHEALTHY,
        Outcome.NOT_FINISHED,
    }
)
"""Outcomes that count against a goal's bounded number of tries."""


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What one run returned. ``command`` is the command line as an operator would type it, without secrets."""

    verb: Verb
    command: str
    exit_code: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a step. Times are in seconds since the epoch; ``ended_at`` is ``None`` while it runs.

    ``goal`` is the fingerprint of the goal that asked for it and ``revision`` the commit that the goal came
    from. ``message`` is the line that explains a failure.
    """

    id: str
    package: str
    kind: StepKind
    goal: str
    revision: str
    started_at: float
    from_version: str | None = None
    to_version: str | None = None
    ended_at: float | None = None
    outcome: Outcome | None = None
    message: str = ""
    actions: tuple[ActionResult, ...] = ()


@dataclass(frozen=True, slots=True)
class Tally:
    """The tries at one goal so far: ``failures`` charged ones, the last of them ended at ``last_ended_at``.

    ``waits`` counts the tries since the last charged one that had to wait and were not charged.
    """

    package: str
    goal: str
    failures: int
    last_ended_at: float
    last_outcome: Outcome
    message: str = ""
    waits: int = 0


def next_try_at(tally: Tally) -> float | None:
    """Return when the next try is due, in seconds since the epoch; ``None`` when there will be none."""
    if tally.last_outcome not in CHARGED:
        return tally.last_ended_at + _delay(tally.waits)
    if tally.failures >= MOST_FAILURES:
        return None
    return tally.last_ended_at + _delay(tally.failures)


def _delay(tries: int) -> float:
    doublings = min(max(tries - 1, 0), 10)
    return float(min(FIRST_RETRY_DELAY * 2**doublings, LONGEST_RETRY_DELAY))


def count(tally: Tally | None, attempt: Attempt) -> Tally:
    """Return the tally after an ended, unsuccessful attempt.

    Args:
        tally: the tally so far; one of another goal counts as none, because a new goal starts afresh.
        attempt: an attempt with its outcome and end.
    """
    if attempt.outcome is None or attempt.ended_at is None:
        raise ValueError(f"attempt {attempt.id} has not ended")
    before = tally if tally is not None and tally.goal == attempt.goal else None
    charged = attempt.outcome in CHARGED
    return Tally(
        package=attempt.package,
        goal=attempt.goal,
        failures=(before.failures if before else 0) + charged,
        last_ended_at=attempt.ended_at,
        last_outcome=attempt.outcome,
        message=attempt.message,
        waits=0 if charged else (before.waits if before else 0) + 1,
    )
