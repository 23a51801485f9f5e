"""What goes wrong is told as it is, charged as it should be, and does not stick."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.kernel.attempts import Cause, Outcome
from reconciler.kernel.calls import CallKind
from reconciler.kernel.exit_codes import classify_msi
from reconciler.kernel.retries import next_try_at
from reconciler.kernel.steps import Verb
from reconciler.testing.sample_packages import installed
from reconciler.testing.simulated_state import Fault


def ended(count):
    return lambda server: len(server.attempts()) >= count


def told_tally(server):
    """Wait until the last report tells of a failure, and return its tally."""
    server.wait_for(lambda s: s.reports and s.reports[-1].observation.tallies)
    return server.reports[-1].observation.tallies[0]


def test_a_failed_installer_is_reported_with_its_message_and_its_log(server, machine, catalog, start):
    release = catalog.release("1.0.0", 1, refuses="This product needs the moon to be full.")
    server.assign(catalog.assignment(release))
    start()
    server.wait_for(lambda s: s.logs)
    (attempt,) = server.attempts()
    assert attempt.outcome is Outcome.FAILED
    assert "1603: This product needs the moon to be full." in attempt.message
    assert "needs the moon" in server.logs[attempt.id]
    assert told_tally(server).failures == 1
    assert machine.windows.state().products == ()


@pytest.mark.parametrize(
    "expected",
    [(1603, Cause.FAILED, 30), (1625, Cause.PERMANENT, 3600), (1639, Cause.OUR_FAULT, 600)],
)
def test_the_next_try_is_as_far_away_as_the_exit_code_says(server, machine, catalog, start, expected):
    exit_code, cause, delay = expected
    release = catalog.release("1.0.0", 1)
    machine.windows.add_fault(Fault(release.product_code, exit_code=exit_code, message="no"))
    server.assign(catalog.assignment(release))
    agent = start()
    tally = told_tally(server)
    assert (tally.cause, tally.failure.exit_code) == (cause, exit_code)
    assert server.attempts()[0].actions[0].exit_class is classify_msi(Verb.INSTALL, exit_code)
    assert delay <= next_try_at(tally, "HOST7") - tally.last_ended_at <= delay * 1.1
    agent.stop()
    told = len(server.reports)
    server.assign(replace(catalog.assignment(release), revision="r2"))
    start()
    server.wait_for(lambda s: len(s.check_ins) > 3)
    assert len(server.attempts()) == 1, "the journal keeps the cause over a restart"
    assert all(report.observation.tallies == (tally,) for report in server.reports[told:])


def test_a_goal_that_is_halted_is_not_begun_and_goes_on_when_it_is_no_more(server, machine, catalog, start):
    release = catalog.release("1.0.0", 1)
    free = catalog.assignment(release)
    goal = replace(free.goals[0], awaits="3 hosts failed alike", halted=True)
    server.assign(replace(free, goals=(goal,)))
    start()
    server.wait_for(lambda s: len(s.check_ins) > 5)
    assert server.attempts() == []
    server.assign(free)
    server.wait_for(ended(1))
    assert server.attempts()[0].outcome is Outcome.SUCCEEDED


def test_the_message_comes_from_the_log_where_the_installer_tells_none(server, machine, catalog, start):
    release = catalog.release("1.0.0", 1)
    machine.windows.add_fault(Fault(release.product_code, exit_code=1603))
    server.assign(catalog.assignment(release))
    start()
    server.wait_for(ended(1))
    assert "the action INSTALL failed" in server.attempts()[0].message


def test_the_log_is_not_sent_before_the_attempt_is_and_only_once(server, machine, catalog, data, start):
    machine.windows.add_fault(Fault(catalog.release("1.0.0", 1).product_code, exit_code=1603))
    server.assign(catalog.assignment(catalog.releases[0]))
    start()
    server.wait_for(lambda s: s.logs)
    seen = len(server.check_ins)
    server.wait_for(lambda s: len(s.check_ins) > seen + 2)
    assert list((data / "logs" / "attempts").iterdir()) == []
    assert list((data / "runs").iterdir()) == []


def test_the_log_waits_while_its_attempt_goes_on(server, machine, catalog, start):
    old, new = catalog.release("1.0.0", 1), catalog.release("2.0.0", 2)
    machine.windows.put(installed(new))
    machine.windows.add_fault(Fault(old.product_code, exit_code=1603, message="no"))
    machine.windows.add_fault(Fault(new.product_code, kind=CallKind.INSTALL, seconds=0.8))
    server.assign(catalog.assignment(old))
    start()
    server.wait_for(lambda s: s.logs)
    assert list(server.logs) == [server.attempts()[0].id]


def test_exit_code_0_is_no_proof(server, machine, catalog, start):
    release = catalog.release("1.0.0", 1)
    machine.windows.add_fault(Fault(release.product_code, without_effect=True))
    server.assign(catalog.assignment(release))
    start()
    server.wait_for(ended(1))
    (attempt,) = server.attempts()
    assert attempt.outcome is Outcome.NOT_CONFIRMED
    assert "is not installed" in attempt.message
    assert told_tally(server).last_outcome is Outcome.NOT_CONFIRMED


def test_a_failed_attempt_is_not_repeated_before_its_time(server, machine, catalog, start):
    release = catalog.release("1.0.0", 1)
    machine.windows.add_fault(Fault(release.product_code, exit_code=1603))
    server.assign(catalog.assignment(release))
    start(poll=0.05)
    server.wait_for(ended(1))
    seen = len(server.check_ins)
    server.wait_for(lambda s: len(s.check_ins) > seen + 6)
    assert len(server.attempts()) == 1


def test_a_failure_survives_a_restart_and_a_newer_goal_starts_afresh(server, machine, catalog, start):
    bad, good = catalog.release("1.0.0", 1), catalog.release("1.1.0", 2)
    machine.windows.add_fault(Fault(bad.product_code, exit_code=1603))
    server.assign(catalog.assignment(bad, "r1"))
    agent = start()
    server.wait_for(ended(1))
    agent.stop()
    start()
    seen = len(server.check_ins)
    server.wait_for(lambda s: len(s.check_ins) > seen + 3)
    assert len(server.attempts()) == 1, "the restart must not forget the tally"
    server.assign(catalog.assignment(good, "r2"))
    server.wait_for(ended(2))
    assert machine.windows.state().products == (installed(good),)
    server.wait_for(lambda s: s.reports[-1].observation.tallies == ())


def test_a_busy_installer_is_waited_for_and_not_charged(server, machine, catalog, start):
    release = catalog.release("1.0.0", 1)
    machine.windows.add_fault(Fault(release.product_code, exit_code=1618))
    server.assign(catalog.assignment(release))
    start()
    server.wait_for(ended(1))
    assert server.attempts()[0].outcome is Outcome.WAITED
    tally = told_tally(server)
    assert (tally.failures, tally.waits) == (0, 1)


def test_a_needed_reboot_is_told_until_the_machine_has_started_anew(server, machine, catalog, start):
    first, second = catalog.release("1.0.0", 1), catalog.release("2.0.0", 2)
    machine.windows.add_fault(Fault(first.product_code, exit_code=3010))
    server.assign(catalog.assignment(first, "r1"))
    agent = start()
    server.wait_for(ended(1))
    assert server.attempts()[0].outcome is Outcome.SUCCEEDED_REBOOT_NEEDED
    assert "sample 1.0.0 returned 3010" in server.reports[-1].observation.reboot_pending
    agent.stop()
    server.assign(catalog.assignment(second, "r2"))
    start()
    seen = len(server.check_ins)
    server.wait_for(lambda s: len(s.check_ins) > seen + 3)
    assert len(server.attempts()) == 1, "nothing may be installed while a reboot is pending"
    machine.windows.reboot()
    server.wait_for(ended(2))
    assert server.reports[-1].observation.reboot_pending == ()


def test_a_failed_rollback_puts_the_newer_release_back(server, machine, catalog, start):
    old, new = catalog.release("1.0.0", 1), catalog.release("2.0.0", 2)
    machine.windows.put(installed(new))
    machine.windows.add_fault(Fault(old.product_code, exit_code=1603, message="no"))
    server.assign(catalog.assignment(old))
    start()
    server.wait_for(ended(1))
    (attempt,) = server.attempts()
    assert attempt.outcome is Outcome.FAILED_ROLLED_BACK
    assert [action.verb for action in attempt.actions] == [Verb.REMOVE, Verb.INSTALL, Verb.INSTALL]
    assert "2.0.0 was put back" in attempt.message
    assert machine.windows.state().products == (installed(new),)


def test_a_run_that_has_put_back_what_it_took_away_is_told_as_rolled_back(server, machine, catalog, start):
    new = catalog.release("2.0.0", 2)
    said = "the agent 2.0.0 did not reach the server within 22 s; 1.0.0 was put back"
    machine.windows.add_fault(Fault(new.product_code, exit_code=1603, message=said))
    server.assign(catalog.assignment(new))
    start()
    server.wait_for(ended(1))
    (attempt,) = server.attempts()
    assert (attempt.outcome, attempt.message.endswith(said)) == (Outcome.FAILED_ROLLED_BACK, True)


def test_a_rollback_whose_removal_fails_takes_nothing_away(server, machine, catalog, start):
    old, new = catalog.release("1.0.0", 1), catalog.release("2.0.0", 2)
    machine.windows.put(installed(new))
    machine.windows.add_fault(Fault(new.product_code, kind=CallKind.REMOVE, exit_code=1603))
    server.assign(catalog.assignment(old))
    start()
    server.wait_for(ended(1))
    (attempt,) = server.attempts()
    assert (attempt.outcome, len(attempt.actions)) == (Outcome.FAILED, 1)
    assert machine.windows.state().products == (installed(new),)


def test_a_rollback_whose_removal_only_claims_success_goes_no_further(server, machine, catalog, start):
    old, new = catalog.release("1.0.0", 1), catalog.release("2.0.0", 2)
    machine.windows.put(installed(new))
    machine.windows.add_fault(Fault(new.product_code, kind=CallKind.REMOVE, without_effect=True))
    server.assign(catalog.assignment(old))
    start()
    server.wait_for(ended(1))
    (attempt,) = server.attempts()
    assert (attempt.outcome, len(attempt.actions)) == (Outcome.NOT_CONFIRMED, 1)
    assert machine.windows.state().products == (installed(new),)


def test_what_could_not_be_put_back_is_told(server, machine, catalog, start):
    old, new = catalog.release("1.0.0", 1), catalog.release("2.0.0", 2)
    machine.windows.put(installed(new))
    machine.windows.add_fault(Fault(old.product_code, exit_code=1603, message="old no"))
    machine.windows.add_fault(Fault(new.product_code, kind=CallKind.INSTALL, exit_code=1603, message="new no"))
    server.assign(catalog.assignment(old))
    start()
    server.wait_for(ended(1))
    (attempt,) = server.attempts()
    assert attempt.outcome is Outcome.FAILED
    assert "old no" in attempt.message
    assert "new no" in attempt.message


def test_a_package_that_the_installer_cannot_open_is_fetched_once_more(server, machine, catalog, start):
    release = catalog.release("1.0.0", 1)
    machine.windows.add_fault(Fault(release.product_code, exit_code=1620, times=1))
    server.assign(catalog.assignment(release))
    start()
    server.wait_for(ended(1))
    (attempt,) = server.attempts()
    assert [action.exit_code for action in attempt.actions] == [1620, 0]
    assert attempt.outcome is Outcome.SUCCEEDED
    assert len(server.requests) == 2


@pytest.mark.parametrize("outcome", ["other content", "unknown"])
def test_a_file_that_is_not_the_catalogs_is_never_run(server, machine, catalog, start, data, outcome):
    release = catalog.release("1.0.0", 1)
    sha256 = release.artifact.sha256
    if outcome == "unknown":
        del server.artifacts[sha256]
    else:
        server.artifacts[sha256] = server.artifacts[sha256][:-3] + b"evl"
    server.assign(catalog.assignment(release))
    start()
    server.wait_for(ended(1))
    (attempt,) = server.attempts()
    refused = outcome != "unknown"
    assert attempt.outcome is (Outcome.ARTIFACT_REFUSED if refused else Outcome.ARTIFACT_UNAVAILABLE)
    assert attempt.actions == ()
    assert machine.windows.state().products == ()
    assert [p for p in (data / "artifacts").rglob("*") if p.is_file()] == []
    assert told_tally(server).failures == (1 if refused else 0)


def test_a_rollback_without_the_file_to_put_back_removes_nothing(server, machine, catalog, start):
    old, new = catalog.release("1.0.0", 1), catalog.release("2.0.0", 2)
    del server.artifacts[new.artifact.sha256]
    machine.windows.put(installed(new))
    server.assign(catalog.assignment(old))
    start()
    server.wait_for(ended(1))
    assert server.attempts()[0].outcome is Outcome.ARTIFACT_UNAVAILABLE
    assert machine.windows.state().products == (installed(new),)
