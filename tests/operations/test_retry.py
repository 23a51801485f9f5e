"""Retries that people ask for: on record, in force at once, and told wherever somebody looks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.hosts.roster import Roster
from reconciler.kernel.assignment import Goal
from reconciler.kernel.attempts import ActionResult, Attempt, Failure, Outcome, Tally, count
from reconciler.kernel.observation import InstalledProduct, Observation
from reconciler.kernel.status import Reason
from reconciler.kernel.steps import StepKind, Verb
from reconciler.operations.desired import state_in_force
from reconciler.operations.fleet import assign_all
from reconciler.operations.history import history
from reconciler.operations.host import UnknownHost, find_host
from reconciler.operations.plan import plan_revision
from reconciler.operations.retry import (
    Asking,
    NothingToRetry,
    UnknownEnvironment,
    retry_environment,
    retry_host,
)
from reconciler.operations.status import site_status
from reconciler.operations.trace import NotManaged, trace
from reconciler.planning.plan import group
from reconciler.planning.report import as_markdown, as_text
from tests.operations.conftest import APP, Installation, package_code, product_code

RILEY = Asking("riley", "disk freed")
HOSTS = ("DEV-01", "DEV-02", "DEV-03", "DEV-04", "DEV-05")
PRESENT = InstalledProduct(product_code(1), "1.0.0", "App", package_code(1), APP)


def goal_of(installation: Installation, host: str) -> Goal:
    return find_host(installation.site, host).assignment.goals[0]


def tally_of(installation: Installation, host: str, failures: int = 1) -> Tally:
    goal = goal_of(installation, host)
    now = installation.site.clock()
    actions = (ActionResult(Verb.INSTALL, "msiexec", 1603),)
    failed = Attempt(
        f"a-{host}",
        "app",
        StepKind.INSTALL,
        goal.fingerprint,
        "c1",
        now,
        ended_at=now,
        outcome=Outcome.FAILED,
        message="the installer returned 1603",
        actions=actions,
    )
    tally = count(None, failed)
    return replace(tally, failures=failures)


def report(installation: Installation, host: str, observation: Observation) -> None:
    installation.site.hosts.record_report(host, observation, "digest", "", installation.site.clock())


@pytest.fixture
def failing(installation: Installation) -> Installation:
    """Five hosts, of which three have used up their tries at app 1.0.0, all alike."""
    for host in HOSTS:
        installation.enrol(host)
        installation.report(host)
    for host in HOSTS[:3]:
        report(installation, host, Observation(tallies=(tally_of(installation, host, 8),)))
    return installation


def reasons(installation: Installation) -> dict[str, Reason]:
    return {host.host: host.packages[0].reason for host in site_status(installation.site).hosts}


EXHAUSTED = dict.fromkeys(HOSTS[:3], Reason.RETRIES_EXHAUSTED)


def test_where_hosts_fail_alike_status_and_plan_tell_what_is_halted(failing: Installation) -> None:
    assert reasons(failing) == {**EXHAUSTED, **dict.fromkeys(HOSTS[3:], Reason.HALTED)}
    (halt,) = site_status(failing.site).halts
    assert (halt.environment, halt.package, halt.version, halt.hosts) == ("dev", "app", "1.0.0", HOSTS[3:])
    comparison = plan_revision(failing.site, None, None)
    assert comparison.plan is not None
    assert {item.reason: item.hosts for item in group(comparison.plan.steps)}[Reason.HALTED] == HOSTS[3:]
    for text in (as_text(comparison), as_markdown(comparison)):
        assert "Halted on 2 host(s) of dev: at least 3 hosts failed alike" in text
        assert text.count("reconciler retry --environment dev --package app") == 1


def test_the_daemon_hands_out_what_status_shows(failing: Installation) -> None:
    roster = Roster(failing.site.hosts.all())
    assign_all(failing.site, roster, state_in_force(failing.site))
    halted = {m.name: m.goals[0].halted for m in roster.members() if m.goals}
    assert halted == {host: host in HOSTS[3:] for host in HOSTS}
    shown = {name: find_host(failing.site, name).assigned for name in HOSTS}
    assert shown == {member.name: member.assigned for member in roster.members()}


def test_how_the_tries_stand_is_told(failing: Installation) -> None:
    report(failing, "DEV-01", Observation(tallies=(tally_of(failing, "DEV-01", 3),)))
    tries = trace(failing.site, "DEV-01", "app").standing.tries
    assert tries is not None
    assert (tries.failed, tries.most, tries.exit_code) == (3, 8, 1603)
    assert tries.next_at is not None


def test_the_environment_says_how_many_it_takes(failing: Installation) -> None:
    failing.publish({"environments/dev/environment.yaml": "packages:\n  app: 1.0.0\nhaltAfter: 4\n"})
    assert reasons(failing) == {**EXHAUSTED, **dict.fromkeys(HOSTS[3:], Reason.AWAITING_AGENT)}


def test_a_retry_in_the_environment_lets_everybody_try_afresh(failing: Installation) -> None:
    retried = retry_environment(failing.site, "dev", "app", RILEY)
    assert retried.hosts == HOSTS
    assert set(reasons(failing).values()) == {Reason.AWAITING_AGENT}


def test_a_retry_on_a_host_is_for_that_host_alone(failing: Installation) -> None:
    retried = retry_host(failing.site, "dev-01", "app", RILEY)
    assert retried.hosts == ("DEV-01",)
    assert retried.retry.failure == Failure(Outcome.FAILED, 1603, "the installer returned 1603")
    rest = {**EXHAUSTED, **dict.fromkeys(HOSTS[3:], Reason.HALTED)}
    assert reasons(failing) == {**rest, "DEV-01": Reason.AWAITING_AGENT}
    failing.report("DEV-01")
    assert reasons(failing) == {**rest, "DEV-01": Reason.AWAITING_AGENT}, (
        "a report without tallies changes nothing"
    )
    again = retry_host(failing.site, "DEV-01", "app", RILEY)
    assert again.retry.failure == retried.retry.failure
    failing.report("DEV-01", PRESENT)
    assert reasons(failing)["DEV-04"] is Reason.AWAITING_AGENT


def test_each_retry_makes_the_goal_new_and_nothing_else_does(failing: Installation) -> None:
    seen = [goal_of(failing, "DEV-01").fingerprint]
    for _ in range(2):
        retry_environment(failing.site, "dev", "app", RILEY)
        seen.append(goal_of(failing, "DEV-01").fingerprint)
    retry_host(failing.site, "DEV-02", "app", RILEY)
    assert len(set(seen)) == 3
    assert goal_of(failing, "DEV-01").fingerprint == seen[-1]


def test_who_asked_when_and_why_is_told(failing: Installation) -> None:
    retry_environment(failing.site, "dev", "app", RILEY)
    retry_host(failing.site, "DEV-04", "app", Asking("sam"))
    found = [entry.retry for entry in history(failing.site) if entry.retry is not None]
    assert [(r.asked_by, r.reason, r.host, r.environment) for r in found] == [
        ("sam", "", "DEV-04", "dev"),
        ("riley", "disk freed", "", "dev"),
    ]
    for host, expected in (("dev-04", ["sam", "riley"]), ("dev-01", ["riley"])):
        of_host = [entry.retry.asked_by for entry in history(failing.site, host=host) if entry.retry is not None]
        assert of_host == expected
        assert [retry.asked_by for retry in trace(failing.site, host, "app").retries] == expected
    assert [entry for entry in history(failing.site, package="tool") if entry.retry is not None] == []


def test_what_cannot_be_retried_says_so_and_leaves_no_record(failing: Installation) -> None:
    with pytest.raises(UnknownHost):
        retry_host(failing.site, "DEV-99", "app", RILEY)
    with pytest.raises(NotManaged):
        retry_host(failing.site, "DEV-01", "tool", RILEY)
    with pytest.raises(UnknownEnvironment, match="there are: dev"):
        retry_environment(failing.site, "prod", "app", RILEY)
    with pytest.raises(NotManaged):
        retry_environment(failing.site, "dev", "tool", RILEY)
    failing.report("DEV-05", PRESENT)
    with pytest.raises(NothingToRetry, match="as it should be"):
        retry_host(failing.site, "DEV-05", "app", RILEY)
    assert failing.site.retries.last_number() == 0
