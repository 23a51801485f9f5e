"""Attempts at steps: what was tried, what came of it and by what cause, and how often it was in vain."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reconciler.kernel.exit_codes import ExitClass, classify_msi
from reconciler.kernel.steps import StepKind, Verb


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


SUCCESSES = frozenset({Outcome.SUCCEEDED, Outcome.SUCCEEDED_REBOOT_NEEDED})
"""Outcomes of attempts that reached what they were for."""

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


class Cause(StrEnum):
    """What kind of thing an attempt came to nothing by: it sets how long the next one waits.

    ``PERMANENT`` means that a policy of the host or the package itself refuses: the same try has the same end
    until somebody changes that. ``OUR_FAULT`` means that the installer was called wrongly, ``PLAN_WRONG`` that it
    found the host in another state than the plan.
    """

    WAITED = "waited"
    ARTIFACT_UNAVAILABLE = "artifactUnavailable"
    ARTIFACT_REFUSED = "artifactRefused"
    FAILED = "failed"
    PERMANENT = "permanent"
    OUR_FAULT = "ourFault"
    PLAN_WRONG = "planWrong"


_CAUSES_OF_OUTCOMES = {
    Outcome.WAITED: Cause.WAITED,
    Outcome.ARTIFACT_UNAVAILABLE: Cause.ARTIFACT_UNAVAILABLE,
    Outcome.ARTIFACT_REFUSED: Cause.ARTIFACT_REFUSED,
    Outcome.PLAN_WRONG: Cause.PLAN_WRONG,
}
_CAUSES_OF_EXIT_CLASSES = {ExitClass.PERMANENT: Cause.PERMANENT, ExitClass.OUR_FAULT: Cause.OUR_FAULT}
_GOOD = (ExitClass.SUCCESS, ExitClass.SUCCESS_REBOOT_NEEDED)


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What one run returned. ``command`` is the command line as an operator would type it, without secrets.

    ``exit_class`` is what the exit code means for this run; an agent of an earlier release does not tell it.
    """

    verb: Verb
    command: str
    exit_code: int
    message: str = ""
    exit_class: ExitClass | None = None


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
class Failure:
    """What a charged attempt came to. ``exit_code`` is the installer's, ``None`` where that did not decide."""

    outcome: Outcome
    exit_code: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """The tries at one goal so far: ``failures`` charged ones, the last try of all ended at ``last_ended_at``.

    ``waits`` counts the tries since the last charged one that had to wait and were not charged. ``cause`` is why
    the last try came to nothing and ``failure`` what the last charged one came to; an agent of an earlier release
    tells neither, `cause_of` and `failure_of` do.
    """

    package: str
    goal: str
    failures: int
    last_ended_at: float
    last_outcome: Outcome
    message: str = ""
    waits: int = 0
    cause: Cause | None = None
    failure: Failure | None = None


def cause_of(tally: Tally) -> Cause:
    """Return why the last try came to nothing."""
    return tally.cause or _CAUSES_OF_OUTCOMES.get(tally.last_outcome, Cause.FAILED)


def failure_of(tally: Tally) -> Failure | None:
    """Return what the last charged try came to; ``None`` where none was charged."""
    if tally.failure is not None or not tally.failures:
        return tally.failure
    if tally.last_outcome in CHARGED:
        return Failure(tally.last_outcome, None, tally.message)
    return Failure(Outcome.FAILED)


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
    failure = failure_of(before) if before is not None else None
    if charged:
        decisive = _decisive(attempt)
        failure = Failure(attempt.outcome, decisive.exit_code if decisive else None, attempt.message)
    return Tally(
        package=attempt.package,
        goal=attempt.goal,
        failures=(before.failures if before else 0) + charged,
        last_ended_at=attempt.ended_at,
        last_outcome=attempt.outcome,
        message=attempt.message,
        waits=0 if charged else (before.waits if before else 0) + 1,
        cause=cause_of_attempt(attempt),
        failure=failure,
    )


def cause_of_attempt(attempt: Attempt) -> Cause | None:
    """Return why an attempt came to nothing; ``None`` where it has not ended, or succeeded."""
    if attempt.outcome is None or attempt.outcome in SUCCESSES:
        return None
    decisive = _decisive(attempt)
    if decisive is not None:
        return _CAUSES_OF_EXIT_CLASSES.get(_class_of(decisive), Cause.FAILED)
    return _CAUSES_OF_OUTCOMES.get(attempt.outcome, Cause.FAILED)


def _decisive(attempt: Attempt) -> ActionResult | None:
    """Return the installer run by whose exit code the attempt failed, if it was by one.

    It is the first bad one: those after it put something back. Only where the file had to be fetched anew was
    there another try at the same.
    """
    if attempt.outcome not in (Outcome.FAILED, Outcome.FAILED_ROLLED_BACK):
        return None
    bad = [(_class_of(result), result) for result in attempt.actions]
    bad = [(kind, result) for kind, result in bad if kind not in _GOOD]
    return next((result for kind, result in bad if kind is not ExitClass.FETCH_AGAIN), bad[0][1] if bad else None)


def _class_of(result: ActionResult) -> ExitClass:
    return result.exit_class or classify_msi(result.verb, result.exit_code)
