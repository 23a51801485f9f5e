"""Retries: each cause has its own pace and its own end, and hosts alike come back at different seconds."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kernel.attempts import (
    ActionResult,
    Attempt,
    Cause,
    Failure,
    Outcome,
    Tally,
    cause_of,
    cause_of_attempt,
    count,
    failure_of,
)
from reconciler.kernel.exit_codes import ExitClass
from reconciler.kernel.retries import BACKOFFS, SPREAD, next_try_at, tries_of
from reconciler.kernel.steps import StepKind, Verb
from reconciler.kernel.wire import decode, encode

REFUSED = {1613, 1623, 1625, 1633, 1637, 1640, 1643, 1644, 1645, 1646, 1649, 1654}


def failed(
    *codes: int, outcome: Outcome = Outcome.FAILED, at: float = 100.0, verb: Verb = Verb.INSTALL
) -> Attempt:
    results = tuple(ActionResult(verb, "msiexec", code) for code in codes)
    return Attempt(
        "a",
        "app",
        StepKind.INSTALL,
        "goal",
        "c",
        at - 1,
        ended_at=at,
        outcome=outcome,
        message="told",
        actions=results,
    )


def delays(attempt: Attempt) -> list[float]:
    """Return the seconds from each failure to the next try, until there is none, all for the same cause."""
    tally, found = count(None, attempt), []
    while (due := next_try_at(tally, "H")) is not None and len(found) < 20:
        found.append((due - tally.last_ended_at) / stretch())
        tally = count(tally, attempt)
    return [round(delay) for delay in found]


def stretch() -> float:
    """Return by how much the delays of this host and goal are stretched."""
    backoff = BACKOFFS[Cause.FAILED]
    due = next_try_at(Tally("app", "goal", 1, 0.0, Outcome.FAILED), "H")
    assert due is not None
    return due / backoff.first


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (failed(1603), [30, 60, 120, 240, 480, 960, 1920]),
        (failed(1625), [3600, 21_600, 86_400]),
        (failed(1639), [600, 3600]),
        (failed(outcome=Outcome.ARTIFACT_REFUSED), [60, 180, 540, 1620, 3600, 3600, 3600]),
        (failed(1638, outcome=Outcome.PLAN_WRONG), [30, 60, 120, 240, 480, 960, 1920] + [3600] * 13),
        (failed(outcome=Outcome.WAITED), [30, 60, 120, 240, 480] + [900] * 15),
        (failed(outcome=Outcome.ARTIFACT_UNAVAILABLE), [30, 60, 120, 240, 480, 960, 1920] + [3600] * 13),
    ],
    ids=lambda value: str(value.outcome) if isinstance(value, Attempt) else "",
)
def test_each_cause_has_its_own_pace_and_end(attempt: Attempt, expected: list[float]) -> None:
    assert delays(attempt) == expected


@pytest.mark.parametrize(
    ("attempt", "cause", "exit_code"),
    [
        (failed(1603), Cause.FAILED, 1603),
        *((failed(code), Cause.PERMANENT, code) for code in sorted(REFUSED)),
        *((failed(code), Cause.OUR_FAULT, code) for code in (87, 1622, 1624, 1639)),
        (failed(0, 1625), Cause.PERMANENT, 1625),
        (failed(1603, 1625), Cause.FAILED, 1603),
        (failed(1619, 1633), Cause.PERMANENT, 1633),
        (failed(1619, 1619, 0), Cause.FAILED, 1619),
        (failed(1625, 0, outcome=Outcome.FAILED_ROLLED_BACK), Cause.PERMANENT, 1625),
        (failed(0, outcome=Outcome.NOT_CONFIRMED), Cause.FAILED, None),
        (failed(1625, outcome=Outcome.INTERRUPTED), Cause.FAILED, None),
        (failed(outcome=Outcome.ARTIFACT_REFUSED), Cause.ARTIFACT_REFUSED, None),
        (failed(), Cause.FAILED, None),
    ],
)
def test_the_run_that_failed_first_says_why_and_not_the_one_that_put_something_back(
    attempt: Attempt, cause: Cause, exit_code: int | None
) -> None:
    tally = count(None, attempt)
    assert attempt.outcome is not None
    assert (cause_of(tally), failure_of(tally)) == (cause, Failure(attempt.outcome, exit_code, "told"))


def test_a_program_or_command_says_itself_what_its_codes_mean() -> None:
    results = (ActionResult(Verb.COMMAND, "fix.cmd", 1625, exit_class=ExitClass.FAILED),)
    tally = count(None, replace(failed(), actions=results))
    assert cause_of(tally) is Cause.FAILED
    assert failure_of(tally) == Failure(Outcome.FAILED, 1625, "told")
    good = (ActionResult(Verb.INSTALL, "setup.exe", 7, exit_class=ExitClass.SUCCESS), *results)
    assert failure_of(count(None, replace(failed(), actions=good))) == Failure(Outcome.FAILED, 1625, "told")


def test_an_attempt_that_goes_on_or_succeeded_has_no_cause() -> None:
    assert cause_of_attempt(failed(1625)) is Cause.PERMANENT
    assert cause_of_attempt(failed(3010, outcome=Outcome.SUCCEEDED_REBOOT_NEEDED)) is None
    assert cause_of_attempt(replace(failed(), outcome=None, ended_at=None)) is None


def test_a_wait_after_a_failure_is_not_charged_and_the_failure_is_not_forgotten() -> None:
    tally = count(count(None, failed(1625)), failed(1618, outcome=Outcome.WAITED, at=200.0))
    assert (tally.failures, tally.waits, cause_of(tally)) == (1, 1, Cause.WAITED)
    assert failure_of(tally) == Failure(Outcome.FAILED, 1625, "told")
    tries = tries_of(tally, "H")
    assert (tries.failed, tries.most, tries.waits, tries.exit_code) == (1, None, 1, None)


def test_the_limit_is_that_of_the_last_cause_over_all_failures() -> None:
    tally = None
    for _ in range(5):
        tally = count(tally, failed(1603))
    assert tally is not None
    assert tries_of(tally, "H").next_at is not None
    tries = tries_of(count(tally, failed(1625)), "H")
    assert (tries.failed, tries.most, tries.next_at) == (6, 4, None)


def test_what_an_older_agent_tells_is_understood() -> None:
    data = {"package": "app", "goal": "g", "failures": 2, "last_ended_at": 5.0, "last_outcome": "artifactRefused"}
    tally = decode(Tally, data)
    assert cause_of(tally) is Cause.ARTIFACT_REFUSED
    assert failure_of(tally) == Failure(Outcome.ARTIFACT_REFUSED)
    waiting = decode(Tally, {**data, "last_outcome": "waited"})
    assert failure_of(waiting) == Failure(Outcome.FAILED)


def test_cause_and_failure_travel() -> None:
    tally = count(None, failed(1625))
    assert decode(Tally, encode(tally)) == tally


def test_a_thousand_hosts_that_failed_in_one_second_come_back_spread_and_always_alike() -> None:
    tally = Tally("app", "goal", 7, 1000.0, Outcome.FAILED)
    due = [next_try_at(tally, f"PROD-{number:04}") for number in range(1000)]
    assert due == [next_try_at(tally, f"prod-{number:04}") for number in range(1000)]
    seconds = Counter(int(at) for at in due if at is not None)
    assert min(seconds) >= 1000 + 1920
    assert max(seconds) <= 1000 + 1920 * (1 + SPREAD)
    assert max(seconds.values()) < 20


@given(st.sampled_from(Cause), st.integers(0, 10**9), st.integers(0, 10**9), st.text())
def test_no_count_that_a_host_may_tell_breaks_the_pace(cause: Cause, failures: int, waits: int, host: str) -> None:
    tally = Tally("app", "goal", failures, 0.0, Outcome.FAILED, waits=waits, cause=cause)
    due = next_try_at(tally, host)
    backoff = BACKOFFS[cause]
    assert due is None or backoff.first <= due <= backoff.longest * (1 + SPREAD)
