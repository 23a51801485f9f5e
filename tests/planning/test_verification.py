"""Verified: every reachable host that should have it does, healthy, for long enough; a failure starts it anew."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kernel.attempts import CHARGED, Attempt, Outcome
from reconciler.kernel.convergence import Standing
from reconciler.kernel.status import Health, Reason, Sync
from reconciler.kernel.steps import StepKind
from reconciler.planning.verification import Failure, Verification, Witness, Witnessed, span, verify

NOW, DAY = 1_000_000.0, 86_400.0
GOOD = Standing("app", Sync.SYNCED, Health.HEALTHY, Reason.UP_TO_DATE, "2.0.0", "2.0.0")
SOUND = Witness("UAT-01", GOOD, since=NOW - 3 * DAY)
LACKING = replace(GOOD, sync=Sync.OUT_OF_SYNC, health=Health.DEGRADED, reason=Reason.RETRY_BACKOFF, message="1603")
UNHEALTHY = replace(GOOD, health=Health.DEGRADED, reason=Reason.CHECK_FAILED, message="service stopped")


def verified_by(*witnesses: Witness, soak: float = 3 * DAY, now: float = NOW) -> Verification:
    return verify(("app", "2.0.0"), "uat", witnesses, soak, now)


def attempt(ended_at: float, outcome: Outcome = Outcome.FAILED, to: str | None = "2.0.0") -> Attempt:
    return Attempt("a", "app", StepKind.INSTALL, "goal", "c", ended_at - 5, "1.0.0", to, ended_at, outcome, "1603")


def test_a_host_that_has_it_healthy_for_the_time_verifies_it() -> None:
    found = verified_by(SOUND)
    assert found.verified
    assert found.since == NOW - 3 * DAY
    assert found.reasons == ()


@pytest.mark.parametrize(
    ("witness", "reason"),
    [
        (replace(SOUND, since=NOW - 3 * DAY + 1), "healthy for 2 d 23 h of 3 d"),
        (replace(SOUND, since=None), "not on record yet"),
        (replace(SOUND, standing=LACKING), "OutOfSync, Degraded, RetryBackoff: 1603"),
        (replace(SOUND, standing=UNHEALTHY), "Synced, Degraded, CheckFailed: service stopped"),
        (replace(SOUND, standing=replace(GOOD, wanted="1.0.0")), "Synced, Healthy"),
        (replace(SOUND, attempts=(attempt(NOW - DAY),)), "healthy for 1 d of 3 d, since it failed: 1603"),
        (replace(SOUND, degraded=(Failure(NOW - DAY, "stopped"),)), "1 d of 3 d, since it failed: stopped"),
        (replace(SOUND, attempts=(attempt(NOW - DAY, Outcome.SUCCEEDED),)), "healthy for 1 d of 3 d"),
        (replace(SOUND, attempts=(attempt(NOW - DAY, Outcome.SUCCEEDED, "1.0.0"),)), "healthy for 1 d of 3 d"),
    ],
)
def test_one_host_amiss_is_enough_against_it_and_is_named_with_its_reason(witness: Witness, reason: str) -> None:
    found = verified_by(SOUND, replace(witness, host="UAT-02"))
    assert not found.verified
    (told,) = found.reasons
    assert told.startswith("UAT-02: ")
    assert reason in told


def test_hosts_that_cannot_be_reached_are_named_and_do_not_count() -> None:
    silent = Witness("UAT-02", LACKING, Reason.HOST_SILENT)
    found = verified_by(SOUND, silent, replace(silent, host="UAT-03", unreachable=Reason.NEVER_REPORTED))
    assert found.verified
    away = found.having(Witnessed.UNREACHABLE)
    assert [(h.host, h.message) for h in away] == [("UAT-02", "it is silent"), ("UAT-03", "it has never reported")]


def test_without_a_host_nothing_is_verified() -> None:
    assert verified_by().reasons == ("uat has no host that should have it",)
    silent = replace(SOUND, unreachable=Reason.HOST_SILENT)
    assert verified_by(silent).reasons == ("no host of uat that can be reached has it: UAT-01 (it is silent)",)


def test_hosts_that_it_is_not_for_say_nothing_either_way() -> None:
    other = Witness("UAT-02", replace(GOOD, reason=Reason.NOT_APPLICABLE, message="no such product"), since=0.0)
    assert verified_by(SOUND, other).verified
    assert not verified_by(other).verified
    assert "no such product" in verified_by(other).reasons[0]


def test_without_a_soak_healthy_now_is_enough_whatever_the_hosts_clock_says() -> None:
    assert verified_by(
        replace(SOUND, since=NOW, attempts=(attempt(NOW + 60, Outcome.SUCCEEDED),)), soak=0
    ).verified


def test_failures_are_told_in_order_also_where_it_is_verified() -> None:
    early = (attempt(NOW - 5 * DAY), attempt(NOW - 6 * DAY), attempt(NOW - 5 * DAY, to="3.0.0"))
    (host,) = verified_by(replace(SOUND, attempts=early)).hosts
    assert [failure.at for failure in host.failures] == [NOW - 6 * DAY, NOW - 5 * DAY]


def test_a_hosts_words_are_kept_for_reports_to_clean() -> None:
    nasty = replace(attempt(NOW - DAY), message="bad\x1b[31m\nnews")
    found = verified_by(replace(SOUND, attempts=(nasty,)))
    assert found.hosts[0].failures[0].message == "bad\x1b[31m\nnews"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (-5, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3700, "1 h 1 min"),
        (86_400 + 59, "1 d"),
        (1e6, "11 d 13 h"),
    ],
)
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text


ages = st.floats(0, 10 * DAY)
standings = st.sampled_from((GOOD, GOOD, GOOD, LACKING, UNHEALTHY))
attempts = st.builds(lambda age, outcome: attempt(NOW - age, outcome), ages, st.sampled_from(Outcome))
witnesses = st.builds(
    Witness,
    st.text("AB", min_size=1),
    standings,
    st.sampled_from((None, None, Reason.HOST_SILENT, Reason.NEVER_REPORTED)),
    st.none() | ages.map(lambda age: NOW - age),
    st.lists(attempts, max_size=2).map(tuple),
    st.lists(st.builds(Failure, ages.map(lambda age: NOW - age), st.just("x")), max_size=2).map(tuple),
)
fleets = st.lists(witnesses, max_size=5)
soaks = st.sampled_from((0.0, 60.0, DAY, 3 * DAY))


@given(fleets, soaks)
def test_nothing_is_verified_but_by_hosts_that_were_healthy_throughout(fleet: list[Witness], soak: float) -> None:
    if not verified_by(*fleet, soak=soak).verified:
        return
    reachable = [witness for witness in fleet if witness.unreachable is None]
    assert reachable
    for witness in reachable:
        assert witness.standing is GOOD
        assert witness.since is not None
        assert NOW - witness.since >= soak
        ends = [a.ended_at for a in witness.attempts if a.ended_at is not None and a.outcome in CHARGED]
        assert all(NOW - at >= soak for at in [*ends, *(failure.at for failure in witness.degraded)])


@given(fleets, soaks)
def test_it_is_either_verified_or_told_why_not(fleet: list[Witness], soak: float) -> None:
    found = verified_by(*fleet, soak=soak)
    assert found.verified == (found.reasons == ())


@given(fleets.filter(bool), st.data())
def test_a_failure_within_the_time_takes_verified_away(fleet: list[Witness], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(fleet) - 1))
    age = data.draw(st.floats(0, 3 * DAY, exclude_max=True))
    failed = replace(fleet[index], unreachable=None, attempts=(*fleet[index].attempts, attempt(NOW - age)))
    assert not verified_by(*fleet[:index], failed, *fleet[index + 1 :]).verified


@given(fleets, soaks, st.floats(0, 10 * DAY))
def test_time_alone_never_takes_verified_away(fleet: list[Witness], soak: float, later: float) -> None:
    if verified_by(*fleet, soak=soak).verified:
        assert verified_by(*fleet, soak=soak, now=NOW + later).verified
        assert verified_by(*fleet, soak=soak / 2).verified


@given(fleets, witnesses, soaks)
def test_a_host_that_cannot_be_reached_changes_no_verdict(
    fleet: list[Witness], away: Witness, soak: float
) -> None:
    away = replace(away, unreachable=Reason.HOST_SILENT)
    assert verified_by(*fleet, away, soak=soak).verified == verified_by(*fleet, soak=soak).verified
