"""Whatever dies and whenever: nothing runs twice blindly, and the machine ends where it should."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from reconciler.agent.installer import Installer
from reconciler.agent.journal import Journal
from reconciler.agent.run_folder import CALL_NAME
from reconciler.agent.settings import SETTINGS_NAME
from reconciler.kernel.attempts import ActionResult, Attempt, Outcome
from reconciler.kernel.calls import call_of
from reconciler.kernel.kinds.msi import needed_step
from reconciler.kernel.steps import StepKind, Verb
from reconciler.kernel.wire import encode
from reconciler.testing import simulated_installer
from reconciler.testing.sample_packages import installed
from reconciler.testing.simulated_host import state_file
from reconciler.testing.simulated_machine import SimulatedMachine
from reconciler.testing.simulated_state import Fault
from reconciler.testing.simulated_windows import SimulatedWindows


def ended(count):
    return lambda server: len(server.attempts()) >= count


@pytest.fixture
def start_process(server, data):
    """Start the agent as a process that can be killed."""
    (data / SETTINGS_NAME).write_text(
        json.dumps({"server": server.url, "host": "HOST7", "token": "token", "pollSeconds": 0.1})
    )
    running: list[subprocess.Popen[bytes]] = []

    def begin() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "reconciler.testing.simulated_host", "run", "--data", str(data)]
        running.append(subprocess.Popen(command))
        return running[-1]

    yield begin
    for process in running:
        process.terminate()
        assert process.wait(20) in (0, -9)


def test_a_killed_agent_waits_for_its_installer_and_runs_nothing_again(server, data, catalog, start_process):
    release = catalog.release("1.0.0", 1)
    windows = SimulatedWindows(state_file(data))
    windows.add_fault(Fault(release.product_code, seconds=3.0))
    server.assign(catalog.assignment(release))
    agent = start_process()
    server.wait_for(lambda s: any(c.busy for c in s.check_ins))
    _wait_for_claim(data)
    agent.kill()
    agent.wait()
    assert windows.state().products == (), "the installer was meant to be still at work"
    start_process()
    server.wait_for(ended(1))
    (attempt,) = server.attempts()
    assert attempt.outcome is Outcome.SUCCEEDED
    assert [(action.verb, action.exit_code) for action in attempt.actions] == [(Verb.INSTALL, 0)]
    assert windows.state().products == (installed(release),)


def test_agent_and_installer_killed_is_an_interrupted_attempt_that_is_tried_again(
    server, data, catalog, start_process
):
    release = catalog.release("1.0.0", 1)
    windows = SimulatedWindows(state_file(data))
    windows.add_fault(Fault(release.product_code, seconds=30.0, times=1))
    server.assign(catalog.assignment(release))
    agent = start_process()
    claim = _wait_for_claim(data)
    agent.kill()
    agent.wait()
    os.kill(int(claim.split()[0]), signal.SIGKILL)
    start_process()
    server.wait_for(ended(1))
    (attempt,) = server.attempts()
    assert attempt.outcome is Outcome.INTERRUPTED
    assert "is not installed" in attempt.message
    server.wait_for(lambda s: s.reports[-1].observation.tallies)
    assert server.reports[-1].observation.tallies[0].failures == 1


def test_an_agent_that_is_told_to_end_ends_while_the_installer_goes_on(server, data, catalog, start_process):
    release = catalog.release("1.0.0", 1)
    windows = SimulatedWindows(state_file(data))
    windows.add_fault(Fault(release.product_code, seconds=3.0))
    server.assign(catalog.assignment(release))
    agent = start_process()
    _wait_for_claim(data)
    agent.terminate()
    assert agent.wait(3) == 0
    start_process()
    server.wait_for(ended(1))
    assert server.attempts()[0].outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("late", ["while the attempt is ended", "long after"])
def test_a_run_that_had_not_begun_never_begins_after_the_restart(data, tmp_path, catalog, late):
    """The child process was started, the agent died, and the child is slower than the restarted agent."""
    release = catalog.release("1.0.0", 1)
    action = needed_step(catalog.goal(release), ()).actions[0]
    folder = _leave_open(data, catalog, release)
    machine = SimulatedMachine(data / "machine.json")
    journal = Journal(data / "journal.jsonl")
    installer = Installer(machine, journal, data / "logs", threading.Event(), lambda package, words: None)
    left = journal.open_attempt
    installer.resume(left)
    assert left.results == []
    if late == "long after":
        installer.forget(left.attempt.id)
    file = tmp_path / release.artifact.file_name
    file.write_bytes(catalog.artifacts[release.artifact.sha256])
    if folder.exists():
        call = call_of(action, {release.artifact.sha256: str(file)})
        (folder / CALL_NAME).write_text(json.dumps(encode(call)))
    simulated_installer.main([str(data / "machine.json"), str(folder)])
    assert machine.windows.state().products == (), "the late child must not install anything"


def test_a_failure_found_after_a_restart_is_a_failure_and_is_compensated(server, machine, data, catalog, start):
    old, new = catalog.release("1.0.0", 1), catalog.release("2.0.0", 2)
    step = needed_step(catalog.goal(old), (installed(new),))
    journal = Journal(data / "journal.jsonl")
    going = journal.start(
        Attempt("ab" * 16, "sample", StepKind.ROLL_BACK, catalog.goal(old).fingerprint, "r1", 1.0), step
    )
    journal.run(f"{going.attempt.id}-0", step.actions[0])
    journal.ran(ActionResult(Verb.REMOVE, "", 0))
    journal.run(f"{going.attempt.id}-1", step.actions[1])
    folder = data / "runs" / f"{going.attempt.id}-1"
    folder.mkdir(parents=True)
    (folder / "claim").write_text("0 gone")
    (folder / "result").write_text("1603\nno")
    for release in (old, new):  # what the step had fetched before its first run
        kept = data / "artifacts" / release.artifact.sha256 / release.artifact.file_name
        kept.parent.mkdir(parents=True)
        kept.write_bytes(catalog.artifacts[release.artifact.sha256])
    server.assign(catalog.assignment(old))
    start()
    server.wait_for(ended(1))
    assert server.attempts()[0].outcome is Outcome.FAILED_ROLLED_BACK
    assert machine.windows.state().products == (installed(new),)


def _leave_open(data: Path, catalog, release) -> Path:
    goal = catalog.goal(release)
    step = needed_step(goal, ())
    journal = Journal(data / "journal.jsonl")
    journal.start(Attempt("cd" * 16, "sample", StepKind.INSTALL, goal.fingerprint, "r1", 1.0), step)
    folder = data / "runs" / f"{'cd' * 16}-0"
    folder.mkdir(parents=True)
    journal.run(folder.name, step.actions[0])
    return folder


def _wait_for_claim(data: Path) -> str:
    """Wait until the installer's process has claimed its run."""
    event, found = threading.Event(), []
    for _ in range(600):
        found = [path for path in data.glob("runs/*/claim") if path.exists()]
        if found:
            return found[0].read_text()
        event.wait(0.02)
    raise AssertionError("no installer run began")
