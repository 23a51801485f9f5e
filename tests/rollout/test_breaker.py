"""The circuit breaker: hosts that fail alike keep a release from the others, and let it go when they get there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.desired.catalog import Package
from reconciler.desired.model import DesiredState, Environment, Host
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.assignment import Assignment
from reconciler.kernel.attempts import ActionResult, Attempt, Failure, Outcome, Tally, count
from reconciler.kernel.convergence import converge
from reconciler.kernel.observation import InstalledProduct, Observation
from reconciler.kernel.practice import HealthCheck, Practice
from reconciler.kernel.probes import Answer, Probe, ProbeKind
from reconciler.kernel.protocol import goal_fingerprint
from reconciler.kernel.releases import MsiRelease
from reconciler.kernel.retries import Retry
from reconciler.kernel.status import Reason
from reconciler.kernel.steps import StepKind, Verb
from reconciler.rollout.assignments import Assigner
from reconciler.rollout.breaker import find_halts, trials
from reconciler.rollout.retries import Retries

RELEASE = MsiRelease("2.0.0", "product-2", "package-2", Artifact("0" * 64, 1, "a.msi"))
OLDER = MsiRelease("1.0.0", "product-1", "package-1", Artifact("1" * 64, 1, "a.msi"))
APP = Package("app", "upgrade", (OLDER, RELEASE))
PRESENT = InstalledProduct("product-2", "2.0.0", "App", "package-2", "upgrade")


def state(halt_after: int = 3, hosts: int = 10, version: str = "2.0.0") -> DesiredState:
    named = [f"H{number:02}" for number in range(hosts)]
    prod = Environment("prod", packages={"app": version}, halt_after=halt_after)
    return DesiredState("c1", {"app": APP}, {"prod": prod}, {name: Host(name, "prod") for name in named})


class Fleet:
    """Hosts that do as they are assigned, and a server that knows what they reported. Decides nothing itself."""

    def __init__(self, desired: DesiredState) -> None:
        self.desired = desired
        self.retries: list[Retry] = []
        self.reported = {name: Observation() for name in desired.hosts}
        self.has = dict(self.reported)
        self.started: list[str] = []
        self.running: dict[str, str] = {}
        self.now = 0.0

    def assignments(self) -> dict[str, Assignment]:
        retries = Retries(self.retries)
        assigner = Assigner(self.desired, retries)
        drafts = {name: assigner.assign(name, None) for name in self.desired.hosts}
        tried = {n: trials(d.assignment, self.reported[n], retries, self.now) for n, d in drafts.items()}
        halt_after = {name: environment.halt_after for name, environment in self.desired.environments.items()}
        halts = find_halts((trial for found in tried.values() for trial in found), halt_after)
        return {
            name: assigner.halt(draft, halts, frozenset(t.goal.package for t in tried[name])).assignment
            for name, draft in drafts.items()
        }

    def reason(self, host: str) -> Reason:
        (standing,) = converge(self.assignments()[host], self.reported[host], self.now).standings
        return standing.reason

    def message(self, host: str) -> str:
        (standing,) = converge(self.assignments()[host], self.reported[host], self.now).standings
        return standing.message

    def halted(self) -> list[str]:
        return [name for name in self.desired.hosts if self.reason(name) is Reason.HALTED]

    def start(self, host: str) -> bool:
        """Have a host fetch its assignment and begin what is due; return whether it did."""
        assignment = self.assignments()[host]
        wanted = {goal.package: goal.fingerprint for goal in assignment.goals}
        seen = self.has[host]
        self.has[host] = replace(seen, tallies=tuple(t for t in seen.tallies if wanted[t.package] == t.goal))
        if host in self.running or converge(assignment, self.has[host], self.now).step is None:
            return False
        self.running[host] = assignment.goals[0].fingerprint
        self.started.append(host)
        return True

    def end(self, host: str, exit_code: int, outcome: Outcome = Outcome.FAILED) -> None:
        """Have the step of a host end, and the host report."""
        goal = self.running.pop(host)
        if outcome is Outcome.FAILED and exit_code == 0:
            self.has[host] = Observation((PRESENT,))
        else:
            tally = next(iter(self.has[host].tallies), None)
            self.has[host] = replace(
                self.has[host], tallies=(count(tally, attempt(goal, exit_code, outcome, self.now)),)
            )
        self.reported[host] = self.has[host]

    def fail(self, *hosts: str, exit_code: int = 1603, outcome: Outcome = Outcome.FAILED) -> None:
        for host in hosts:
            assert self.start(host), f"{host} does not begin"
            self.end(host, exit_code, outcome)


def attempt(goal: str, exit_code: int, outcome: Outcome, now: float) -> Attempt:
    actions = (ActionResult(Verb.INSTALL, "msiexec", exit_code),)
    message = f"the installer returned {exit_code}"
    return Attempt("a", "app", StepKind.INSTALL, goal, "c1", now, None, "2.0.0", now, outcome, message, actions)


def test_hosts_that_have_not_tried_do_not_begin_once_enough_failed_alike() -> None:
    fleet = Fleet(state())
    fleet.fail("H00", "H01")
    assert fleet.halted() == []
    fleet.fail("H02")
    assert fleet.halted() == [f"H{number:02}" for number in range(3, 10)]
    assert fleet.message("H09") == (
        "at least 3 hosts failed alike (the installer returned 1603): H00, H01, H02; see reconciler trace H00 "
        "app; to go on, commit another release, or reconciler retry --environment prod --package app"
    )


def test_hosts_that_failed_keep_their_own_tries() -> None:
    fleet = Fleet(state())
    fleet.fail("H00", "H01", "H02")
    assert fleet.reason("H00") is Reason.RETRY_BACKOFF
    fleet.now = 100.0
    assert fleet.start("H00")


def test_hosts_that_have_it_are_not_touched() -> None:
    fleet = Fleet(state())
    assert fleet.start("H09")
    fleet.end("H09", 0)
    fleet.fail("H00", "H01", "H02")
    assert fleet.reason("H09") is Reason.UP_TO_DATE


def test_it_closes_by_itself_when_a_host_that_failed_gets_there() -> None:
    fleet = Fleet(state())
    fleet.fail("H00", "H01", "H02")
    fleet.now = 100.0
    assert fleet.start("H01")
    fleet.end("H01", 0)
    assert fleet.halted() == []


def test_a_host_that_somebody_mended_by_hand_is_no_evidence_any_more() -> None:
    fleet = Fleet(state())
    fleet.fail("H00", "H01", "H02")
    fleet.reported["H01"] = replace(fleet.reported["H01"], products=(PRESENT,))
    assert fleet.halted() == []


@pytest.mark.parametrize("codes", [(1603, 1603, 1722), (1603, 1722, 1720)])
def test_hosts_that_fail_each_in_its_own_way_halt_nothing(codes: tuple[int, ...]) -> None:
    fleet = Fleet(state())
    for number, code in enumerate(codes):
        fleet.fail(f"H{number:02}", exit_code=code)
    assert fleet.halted() == []


def test_the_same_exit_code_is_alike_whether_or_not_something_was_put_back() -> None:
    fleet = Fleet(state())
    fleet.fail("H00", "H01")
    fleet.fail("H02", outcome=Outcome.FAILED_ROLLED_BACK)
    assert fleet.halted() != []


@pytest.mark.parametrize("outcome", [Outcome.NOT_CONFIRMED, Outcome.INTERRUPTED, Outcome.ARTIFACT_REFUSED])
def test_without_an_exit_code_the_outcome_counts(outcome: Outcome) -> None:
    fleet = Fleet(state())
    fleet.fail("H00", "H01", "H02", outcome=outcome)
    assert fleet.halted() != []


def test_what_is_installed_and_unhealthy_halts_as_long_as_its_check_fails() -> None:
    probe = Probe(ProbeKind.SERVICE, "App")
    package = replace(APP, practice=Practice(checks=(HealthCheck(probe, "running"),)))
    fleet = Fleet(replace(state(), packages={"app": package}))
    stopped, running = (
        Observation((PRESENT,), answers=(Answer(probe.key, word),)) for word in ("stopped", "running")
    )
    for host in ("H00", "H01", "H02"):
        assert fleet.start(host)
        fleet.end(host, 0, Outcome.UNHEALTHY)
        fleet.reported[host] = replace(stopped, tallies=fleet.has[host].tallies)
        assert fleet.reason(host) is Reason.CHECK_FAILED
    assert len(fleet.halted()) == 7
    fleet.reported["H01"] = replace(running, tallies=fleet.has["H01"].tallies)
    assert fleet.halted() == []


@pytest.mark.parametrize("outcome", [Outcome.WAITED, Outcome.ARTIFACT_UNAVAILABLE, Outcome.PLAN_WRONG])
def test_what_is_not_charged_is_no_evidence(outcome: Outcome) -> None:
    fleet = Fleet(state())
    fleet.fail("H00", "H01", "H02", "H03", "H04", outcome=outcome)
    assert fleet.halted() == []


def test_a_wait_after_a_failure_does_not_make_it_forgotten() -> None:
    fleet = Fleet(state())
    fleet.fail("H00", "H01", "H02")
    fleet.now = 100.0
    fleet.fail("H00", "H01", "H02", exit_code=1618, outcome=Outcome.WAITED)
    assert fleet.halted() != []


def test_hosts_of_another_environment_are_no_evidence() -> None:
    fleet = Fleet(state(hosts=5))
    desired = fleet.desired
    dev = {name: Host(name, "dev") for name in ("H00", "H01", "H02")}
    fleet.desired = replace(
        desired,
        environments={**desired.environments, "dev": replace(desired.environments["prod"], name="dev")},
        hosts={**desired.hosts, **dev},
    )
    fleet.fail("H00", "H01", "H02")
    assert fleet.halted() == []


def test_how_many_it_takes_is_the_environments_to_say() -> None:
    fleet = Fleet(state(halt_after=1))
    fleet.fail("H04")
    assert len(fleet.halted()) == 9
    assert fleet.message("H00").startswith("at least 1 host failed alike (the installer returned 1603): H04; see")


def test_another_release_goes_on_at_once_and_a_commit_that_asks_for_the_same_does_not() -> None:
    fleet = Fleet(state())
    fleet.fail("H00", "H01", "H02")
    fleet.desired = replace(state(), revision="c2")
    assert fleet.halted() != []
    fleet.desired = state(version="1.0.0")
    assert fleet.halted() == []
    assert fleet.start("H00")


def test_what_an_agent_of_the_last_release_tells_is_evidence_too() -> None:
    fleet = Fleet(state())
    goal = fleet.assignments()["H00"].goals[0].fingerprint
    old = Tally("app", goal, 1, 0.0, Outcome.FAILED, "exit code 1603")
    for host in ("H00", "H01", "H02"):
        fleet.reported[host] = Observation(tallies=(old,))
    assert fleet.halted() != []


def test_the_words_change_no_more_than_they_must() -> None:
    fleet = Fleet(state())
    fleet.fail("H00", "H01", "H02")
    assert fleet.start("H09") is False
    fleet.running["H08"] = fleet.assignments()["H08"].goals[0].fingerprint  # it began before the others had failed
    fleet.end("H08", 1603)
    told = fleet.message("H09")
    assert "H00, H01, H02 and others; see" in told
    fleet.running["H07"] = fleet.assignments()["H07"].goals[0].fingerprint
    fleet.end("H07", 1603)
    assert fleet.message("H09") == told


def asked(number: int, host: str = "", failure: Failure | None = None) -> Retry:
    goal = goal_fingerprint(Assigner(state()).assign("H00", None).assignment.goals[0]) if host else ""
    return Retry(number, 0.0, "riley", "", "app", "prod", host, goal, failure)


def test_a_retry_in_the_environment_forgets_what_was() -> None:
    fleet = Fleet(state())
    fleet.fail("H00", "H01", "H02")
    fleet.retries.append(asked(1))
    assert fleet.halted() == []
    assert fleet.start("H00"), "its tries are counted afresh"
    fleet.end("H00", 1603)
    fleet.fail("H01")
    assert fleet.halted() == []
    fleet.fail("H02")
    assert fleet.halted() != []


def test_a_retry_on_a_host_is_for_that_host_and_lets_no_other_go_on() -> None:
    fleet = Fleet(state())
    fleet.fail("H00", "H01", "H02")
    fleet.retries.append(asked(1, "H00", Failure(Outcome.FAILED, 1603, "the installer returned 1603")))
    assert fleet.reason("H00") is Reason.STEP_DUE
    assert fleet.start("H00")
    fleet.reported["H00"] = fleet.has["H00"]
    assert fleet.reported["H00"].tallies == (), "the tally of the goal before is gone"
    assert len(fleet.halted()) == 7, "nothing is known yet but that it had failed"
    fleet.end("H00", 1603)
    assert len(fleet.halted()) == 7
    fleet.now = 100.0
    assert fleet.start("H00")
    fleet.end("H00", 0)
    assert fleet.halted() == []


def test_a_retry_on_a_host_that_never_tried_lets_that_one_through() -> None:
    fleet = Fleet(state())
    fleet.fail("H00", "H01", "H02")
    fleet.retries.append(asked(1, "H07"))
    assert fleet.start("H07")
    assert fleet.halted() == ["H03", "H04", "H05", "H06", "H08", "H09"]


def test_a_retry_on_a_host_is_for_the_goal_that_it_then_had() -> None:
    fleet = Fleet(state(version="1.0.0"))
    before = fleet.assignments()["H07"].goals
    fleet.retries.append(asked(1, "H07"))
    assert fleet.assignments()["H07"].goals == before


def test_a_retry_in_the_environment_goes_before_an_older_one_on_a_host() -> None:
    fleet = Fleet(state())
    fleet.retries += [asked(1, "H00", Failure(Outcome.FAILED, 1603)), asked(2)]
    goals = {assignment.goals for assignment in fleet.assignments().values()}
    assert len(goals) == 1


@given(
    halt_after=st.integers(1, 5),
    at_once=st.integers(1, 4),
    moves=st.lists(st.tuples(st.integers(0, 14), st.sampled_from(["start", "end", "wait"])), max_size=150),
)
def test_no_more_hosts_try_a_bad_release_than_halt_it_and_were_under_way(
    halt_after: int, at_once: int, moves: list[tuple[int, str]]
) -> None:
    fleet = Fleet(state(halt_after, hosts=15))
    for number, move in moves:
        host = f"H{number:02}"
        if move == "start" and len(fleet.running) < at_once:
            fleet.start(host)
        elif move == "end" and host in fleet.running:
            fleet.end(host, 1603)
        elif move == "wait":
            fleet.now += 60.0 * number
    assert len(set(fleet.started)) <= halt_after - 1 + at_once


def play(fleet: Fleet, rounds: int, ends: Callable[[str], int]) -> None:
    for _ in range(rounds):
        for host in fleet.desired.hosts:
            if fleet.start(host):
                fleet.end(host, ends(host))
        fleet.now += 4000.0


@given(halt_after=st.integers(1, 4), bad=st.sets(st.integers(0, 9)), mended_after=st.integers(1, 6))
def test_when_the_fault_ceases_every_host_gets_there(halt_after: int, bad: set[int], mended_after: int) -> None:
    fleet = Fleet(state(halt_after))
    play(fleet, mended_after, lambda host: 1603 if int(host[1:]) in bad else 0)
    assert len({host for host in fleet.started if int(host[1:]) in bad}) <= halt_after
    play(fleet, 3, lambda _host: 0)
    assert all(fleet.reason(host) is Reason.UP_TO_DATE for host in fleet.desired.hosts)
