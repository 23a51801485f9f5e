"""The circuit breaker and `retry`, from the agents' reports to what they are told, through a daemon's restart."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.agent.loop import Agent
from reconciler.agent.settings import SETTINGS_NAME, load_settings
from reconciler.desired.editing import new_package
from reconciler.kernel import protocol
from reconciler.kernel.assignment import Goal
from reconciler.kernel.attempts import Failure, Outcome, Tally
from reconciler.kernel.observation import InstalledProduct, Observation
from reconciler.kernel.protocol import assignment_digest
from reconciler.kernel.status import Reason
from reconciler.operations.status import site_status
from reconciler.operations.token import make_token
from reconciler.testing import preloaded
from reconciler.testing.sample_packages import UPGRADE_CODE, Catalog
from reconciler.testing.simulated_machine import SimulatedMachine
from reconciler.testing.simulated_state import Fault
from tests.daemon.conftest import UPGRADE_CODE as APP
from tests.daemon.conftest import ScriptedHost, Server, eventually

Start = Callable[[str], SimulatedMachine]


def cli(server: Server, *words: str) -> str:
    done = preloaded.run([*words, "--data", str(server.site.settings.data)])
    assert done.returncode == 0, done.stderr
    return done.stdout


def reasons(server: Server) -> dict[str, Reason]:
    return {h.host: h.packages[0].reason for h in site_status(server.site, "dev").hosts if h.packages}


def goal_of(host: ScriptedHost) -> Goal:
    """Take the new assignment, and tell the server so."""
    assignment = host.assigned()
    host.send(protocol.Report(host.report.observation, assignment_digest(assignment)))
    return assignment.goals[0]


def fail(host: ScriptedHost, goal: Goal) -> None:
    failure = Failure(Outcome.FAILED, 1603, "the installer returned 1603")
    tally = Tally("app", goal.fingerprint, 1, 1.0, Outcome.FAILED, failure.message, failure=failure)
    host.send(protocol.Report(Observation(tallies=(tally,)), host.report.assignment))


def test_hosts_are_told_to_wait_when_others_fail_and_to_go_on_when_they_succeed(server: Server) -> None:
    failing = [server.enrolled(f"DEV-0{number}") for number in range(3)]
    waiting = server.enrolled("DEV-09")
    assert goal_of(waiting).halted is False
    for host in failing:
        fail(host, goal_of(host))
    halted = goal_of(waiting)
    assert (halted.halted, "DEV-00, DEV-01, DEV-02" in halted.awaits) == (True, True)
    assert reasons(server)["DEV-09"] is Reason.HALTED
    assert failing[0].check_in().status == 204, "hosts that failed have nothing new to know"

    server.process.kill()
    server.process.start()
    present = InstalledProduct("{00000000-0000-0000-0000-0000000000A1}", "1.0.0", "App", None, APP)
    failing[1].send(protocol.Report(Observation((present,)), failing[1].report.assignment))
    assert goal_of(waiting).halted is False

    fail(failing[1], halted)
    assert goal_of(waiting).halted is True
    server.publish({"environments/dev/environment.yaml": "packages:\n  app: 2.0.0\n"})
    newer = goal_of(waiting)
    assert (newer.halted, newer.target and newer.target.version) == (False, "2.0.0")


@pytest.fixture
def start(server: Server, tmp_path: Path) -> Iterator[Start]:
    """Start real agents on simulated machines on which a release does not install."""
    running: list[tuple[Agent, threading.Thread]] = []

    def begin(name: str) -> SimulatedMachine:
        folder = tmp_path / name
        folder.mkdir()
        machine = SimulatedMachine(folder / "machine.json")
        machine.windows.add_fault(Fault("{00000001-0000-4000-8000-0000000000AA}", exit_code=1603, message="no"))
        settings = {
            "server": server.process.url,
            "host": name,
            "token": make_token(server.site, "dev"),
            "ca": str(server.site.settings.data / "tls" / "ca.pem"),
            "pollSeconds": 0.2,
        }
        (folder / SETTINGS_NAME).write_text(json.dumps(settings))
        agent = Agent(load_settings(folder), folder, machine, machine.signatures)
        thread = threading.Thread(target=agent.run, name=name)
        thread.start()
        running.append((agent, thread))
        return machine

    yield begin
    for agent, _ in running:
        agent.stop()
    for _, thread in running:
        thread.join(90)
        assert not thread.is_alive()


def test_from_failures_to_a_halt_and_on_with_retry(server: Server, start: Start, tmp_path: Path) -> None:
    catalog = Catalog()
    release = catalog.release("1.0.0", 1)
    (tmp_path / "sample.msi").write_bytes(catalog.artifacts[release.artifact.sha256])
    server.site.artifacts.add(tmp_path / "sample.msi")
    server.publish(
        {
            "environments/catalog/sample.yaml": new_package(UPGRADE_CODE, release),
            "environments/dev/environment.yaml": "packages:\n  sample: 1.0.0\nhaltAfter: 2\n",
        }
    )
    first = [start("DEV-01"), start("DEV-02")]
    failed = dict.fromkeys(("DEV-01", "DEV-02"), Reason.RETRY_BACKOFF)
    eventually(lambda: reasons(server) == failed)
    last = [start("DEV-03"), start("DEV-04")]
    halted = dict.fromkeys(("DEV-03", "DEV-04"), Reason.HALTED)
    eventually(lambda: reasons(server) == failed | halted)

    server.process.kill()
    server.process.start()
    assert reasons(server) == failed | halted
    assert server.site.attempts.newest(host="DEV-03") == server.site.attempts.newest(host="DEV-04") == ()
    shown = cli(server, "status", "--environment", "dev")
    assert "attempt 1 of 8 (failed 1603), next try " in shown
    assert "sample 1.0.0 is halted on 2 hosts of dev: at least 2 hosts failed alike" in shown

    for machine in (*first, *last):
        machine.windows.clear_faults()
    told = cli(server, "retry", "--environment", "dev", "--package", "sample", "--reason", "mended")
    assert "sample is tried afresh on DEV-01, DEV-02, DEV-03, DEV-04" in told
    eventually(lambda: set(reasons(server).values()) == {Reason.UP_TO_DATE})
    for host, tries in (("DEV-01", 2), ("DEV-03", 1)):
        assert len(server.site.attempts.newest(host=host)) == tries
    assert "asked to retry sample in dev: mended" in cli(server, "history")
    assert "asked to retry sample in dev: mended" in cli(server, "trace", "DEV-03", "sample")
