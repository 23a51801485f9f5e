"""What a package wants around a step: commands, services, health checks; whatever fails, services run again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.agent.machine import MachineError
from reconciler.kernel.attempts import Outcome
from reconciler.kernel.calls import CallKind
from reconciler.kernel.practice import HealthCheck, Practice
from reconciler.kernel.probes import Answer, Probe, ProbeKind
from reconciler.kernel.status import Health, Reason
from reconciler.kernel.steps import StepKind
from reconciler.testing.inline_agent import Died, InlineAgent
from reconciler.testing.sample_packages import Catalog, installed
from reconciler.testing.simulated_state import Fault, SimulatedCommand

SERVICE, OTHER = Probe(ProbeKind.SERVICE, "Sample"), Probe(ProbeKind.SERVICE, "Helper")
PORT = Probe(ProbeKind.PORT, "8080")
STOP_AND_START = Practice(services=("Sample", "Helper"), processes=("sample.exe",))


@pytest.fixture
def agent(tmp_path):
    agent = InlineAgent(tmp_path)
    agent.catalog = Catalog(agent.files.content)
    agent.older, agent.newer = agent.catalog.release("1.0.0", 1), agent.catalog.release("2.0.0", 2)
    agent.windows.put(installed(agent.older))
    agent.windows.set_answer(SERVICE, "running automatic")
    agent.windows.set_answer(OTHER, "stopped manual")
    for line in ("first", "second", "third"):
        agent.windows.add_command(SimulatedCommand(line))
    return agent


def want(agent, target=None, **practice):
    goal = agent.catalog.goal(target or agent.newer)
    agent.want(replace(goal, practice=Practice(**practice)))


def ran(agent):
    """The calls so far: kinds, and for commands their lines."""
    return [call.subject if call.kind is CallKind.COMMAND else call.kind.value for call in agent.machine.calls]


def services(agent):
    return [answer.text for answer in agent.machine.look((SERVICE, OTHER)).answers]


def test_all_runs_in_its_order(agent):
    want(agent, services=("Sample",), before=("first",), after=("second", "third"))
    assert agent.turn_fully().outcome is Outcome.SUCCEEDED
    assert ran(agent) == ["first", "stop", "install", "start", "second", "third"]
    assert agent.turn() is None


def test_only_services_that_ran_are_started_again(agent):
    agent.want(replace(agent.catalog.goal(agent.newer), practice=STOP_AND_START))
    agent.turn_fully()
    assert agent.machine.calls[0].processes == ("sample.exe",)
    assert agent.machine.calls[-1].services == ("Sample",)
    assert services(agent) == ["running automatic", "stopped manual"]


def test_a_failing_command_before_lets_nothing_happen(agent):
    agent.windows.add_command(SimulatedCommand("first", 5, message="no backup"))
    want(agent, services=("Sample",), before=("first",), after=("second",))
    attempt = agent.turn_fully()
    assert attempt.outcome is Outcome.FAILED
    assert "'first' returned 5: no backup" in attempt.message
    assert ran(agent) == ["first"]
    assert agent.windows.state().products == (installed(agent.older),)


def test_a_service_that_cannot_be_stopped_lets_nothing_be_installed(agent):
    agent.windows.add_fault(Fault("", CallKind.STOP, 1053, "stopped: Sample\nthe service Helper: it hangs"))
    agent.want(replace(agent.catalog.goal(agent.newer), practice=STOP_AND_START))
    attempt = agent.turn_fully()
    assert attempt.outcome is Outcome.FAILED
    assert "it hangs" in attempt.message
    assert ran(agent) == ["stop", "start"]
    assert agent.machine.calls[-1].services == ("Sample",)


def test_services_run_again_although_the_step_failed(agent):
    agent.windows.add_fault(Fault(agent.newer.product_code, exit_code=1603))
    want(agent, services=("Sample",), after=("second",))
    assert agent.turn_fully().outcome is Outcome.FAILED
    assert ran(agent) == ["stop", "install", "start"]
    assert services(agent)[0] == "running automatic"


def test_services_run_again_although_the_machine_cannot_be_looked_at(agent):
    want(agent, services=("Sample",))
    look = agent.machine.look

    def blind(probes=()):
        if ran(agent)[-1:] == ["install"]:
            raise MachineError("Windows Installer did not list its products: error 1610")
        return look(probes)

    agent.machine.look = blind
    attempt = agent.turn_fully()
    assert attempt.outcome is Outcome.FAILED
    assert "1610" in attempt.message
    assert services(agent)[0] == "running automatic"


def test_services_that_do_not_start_again_are_told(agent):
    agent.windows.add_fault(Fault("", CallKind.START, 1053, "service Sample: it hangs"))
    want(agent, services=("Sample",))
    attempt = agent.turn_fully()
    assert attempt.outcome is Outcome.NOT_FINISHED
    assert "services were not started again" in attempt.message
    assert "it hangs" in attempt.message


def test_services_that_did_not_start_again_are_started_by_a_step_of_its_own(agent):
    agent.windows.add_fault(Fault("", CallKind.START, 1053, "service Sample: it hangs", times=2))
    want(agent, services=("Sample",))
    assert agent.turn_fully().outcome is Outcome.NOT_FINISHED
    again = agent.turn_fully()
    assert (again.kind, again.outcome) == (StepKind.FINISH, Outcome.NOT_FINISHED)
    assert services(agent)[0] == "stopped automatic"
    assert agent.turn_fully().outcome is Outcome.SUCCEEDED
    assert services(agent)[0] == "running automatic"


@pytest.mark.parametrize("dies_after", ["stop", "install"])
def test_services_run_again_although_the_agent_died(agent, dies_after):
    agent.want(replace(agent.catalog.goal(agent.newer), practice=STOP_AND_START))
    _die_after(agent, dies_after)
    attempt = agent.turn_fully()
    assert services(agent) == ["running automatic", "stopped manual"]
    assert attempt.outcome is (Outcome.INTERRUPTED if dies_after == "stop" else Outcome.SUCCEEDED)
    if dies_after == "stop":
        assert agent.turn_fully().outcome is Outcome.SUCCEEDED
    assert agent.turn() is None
    assert services(agent) == ["running automatic", "stopped manual"]


def test_nothing_is_started_that_was_never_stopped(agent):
    """The agent died before it came to stopping: a service that somebody keeps stopped stays so."""
    agent.windows.set_answer(SERVICE, "stopped manual")
    want(agent, services=("Sample",), before=("first",))
    _die_after(agent, "first")
    assert agent.turn_fully().outcome is Outcome.INTERRUPTED
    assert services(agent)[0] == "stopped manual"


def test_a_failing_command_after_is_run_again_until_it_works(agent):
    agent.windows.add_command(SimulatedCommand("second", 5))
    want(agent, after=("second", "third"))
    assert agent.turn_fully().outcome is Outcome.NOT_FINISHED
    again = agent.turn_fully()
    assert (again.kind, again.outcome) == (StepKind.FINISH, Outcome.NOT_FINISHED)
    agent.windows.add_command(SimulatedCommand("second"))
    again = agent.turn_fully()
    assert (again.kind, again.outcome) == (StepKind.FINISH, Outcome.SUCCEEDED)
    assert ran(agent) == ["install", "second", "second", "second", "third"]
    assert agent.turn() is None


@pytest.mark.parametrize("dies_after", ["install", "second", "third"])
def test_commands_after_are_not_forgotten_when_the_agent_dies(agent, dies_after):
    want(agent, after=("second", "third"))
    _die_after(agent, dies_after)
    assert agent.turn_fully().outcome is Outcome.NOT_FINISHED
    assert agent.turn_fully().kind is StepKind.FINISH
    assert ran(agent)[-2:] == ["second", "third"]
    assert agent.turn() is None


def test_commands_that_finish_are_not_forgotten_when_the_agent_dies_once_more(agent):
    want(agent, after=("second", "third"))
    _die_after(agent, "second")
    agent.turn_fully()
    _die_after(agent, "second")
    assert agent.turn_fully().outcome is Outcome.NOT_FINISHED
    assert agent.turn_fully().outcome is Outcome.SUCCEEDED
    assert ran(agent)[-2:] == ["second", "third"]


def test_a_health_check_may_take_its_time(agent, monkeypatch):
    check = HealthCheck(PORT, "open")
    asked = []

    def settle(seconds):
        asked.append(seconds)
        if len(asked) == 3:
            agent.windows.set_answer(PORT, "open")

    monkeypatch.setattr(agent.installer, "pause", settle)
    want(agent, checks=(check,), settle=600.0)
    assert agent.turn_fully().outcome is Outcome.SUCCEEDED
    assert len(asked) == 3


def test_a_health_check_that_does_not_settle_is_told_and_charged(agent):
    want(agent, checks=(HealthCheck(PORT, "open"), HealthCheck(SERVICE, "running")), settle=0.0)
    attempt = agent.turn_fully()
    assert (attempt.outcome, attempt.message) == (Outcome.UNHEALTHY, "port:8080 is closed, not open")
    assert agent.journal.tallies[0].failures == 1
    standing = agent.standing()
    assert (standing.health, standing.reason) == (Health.DEGRADED, Reason.CHECK_FAILED)
    agent.windows.set_answer(PORT, "open")
    assert agent.standing().health is Health.HEALTHY


def test_a_pending_reboot_defers_a_step_but_not_one_that_may_go_on(agent):
    agent.windows.change(lambda state: replace(state, reboot_pending=("Windows Update",)))
    want(agent)
    assert agent.turn() is None
    assert agent.standing().reason is Reason.REBOOT_PENDING
    want(agent, despite_reboot=True)
    assert agent.turn_fully().outcome is Outcome.SUCCEEDED, "what was pending before is no news"
    assert agent.reboots_asked == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reboot_pending": ("Windows servicing (CBS)",)}, "Windows servicing (CBS)"),
        ({"pending_renames": (r"C:\old.dll", r"C:\Sample\in use.dll")}, r"(C:\Sample\in use.dll)"),
    ],
)
def test_signs_that_a_step_leaves_ask_for_a_reboot(agent, change, words):
    agent.windows.change(lambda state: replace(state, pending_renames=(r"C:\old.dll",)))
    agent.machine.after_run = lambda _: agent.windows.change(lambda state: replace(state, **change))
    want(agent)
    assert agent.turn_fully().outcome is Outcome.SUCCEEDED_REBOOT_NEEDED
    ((package, told),) = agent.reboots_asked
    assert package == "sample"
    assert words in told


def test_a_full_disk_lets_no_rollback_begin(agent):
    agent.windows.remove(agent.older.product_code)
    agent.windows.put(installed(agent.newer))
    agent.windows.change(lambda state: replace(state, free_bytes=1024**2))
    want(agent, target=agent.older)
    attempt = agent.turn_fully()
    assert attempt.outcome is Outcome.ARTIFACT_UNAVAILABLE
    assert "only 1 MiB are free" in attempt.message
    assert ran(agent) == []
    assert agent.journal.tallies[0].failures == 0
    agent.windows.change(lambda state: replace(state, free_bytes=10 * 1024**3))
    assert agent.turn_fully().outcome is Outcome.SUCCEEDED


def test_a_command_may_be_what_makes_a_check_pass(agent):
    agent.windows.add_command(SimulatedCommand("second", answers=(Answer(PORT.key, "open"),)))
    want(agent, after=("second",), checks=(HealthCheck(PORT, "open"),), settle=0.0)
    assert agent.turn_fully().outcome is Outcome.SUCCEEDED


def _die_after(agent, what):
    """Let the agent die after the next run of ``what``, and begin anew."""

    def die(call):
        if what in (call.kind.value, call.subject):
            agent.machine.after_run = lambda _call: None
            raise Died

    agent.machine.after_run = die
    with pytest.raises(Died):
        agent.turn()
    agent.restart()
