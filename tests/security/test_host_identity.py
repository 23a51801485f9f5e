"""Who a host is: no token of one environment takes over a host of another, and two machines never share a key."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from reconciler.cli.main import app
from reconciler.hosts.identity import REMEMBERED_RUNS, Start, judge, parse_start
from reconciler.kernel import protocol
from reconciler.kernel.observation import Observation
from reconciler.operations.status import site_status
from reconciler.operations.token import make_token, make_token_for
from reconciler.store.machines import MachineRecord, MachineState
from reconciler.testing.waiting import eventually
from tests.daemon.conftest import Answer, ScriptedHost, Server, running_server

NAMES = (f"PROD-{number}" for number in itertools.count(77))
RUNS = (f"{number:032x}" for number in itertools.count(0xA0))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("identity")) as running:
        yield running


def enrolled(server: Server) -> ScriptedHost:
    return server.enrolled(next(NAMES), "prod")


def another(host: ScriptedHost, key: str = "another-key") -> ScriptedHost:
    """Return another machine that goes by the same name."""
    return ScriptedHost(host._server, host.name, key)


def happened(server: Server, kind: str, host: str) -> list[dict[str, Any]]:
    facts = (json.loads(record.facts) for record in server.site.audit.records() if record.kind == kind)
    return [item for item in facts if item["host"] == host]


def status_of(server: Server, host: str) -> Any:
    return next(item for item in site_status(server.site).hosts if item.host == host)


# Tokens


def test_a_token_of_another_environment_does_not_take_a_host_over(server: Server) -> None:
    host = enrolled(server)
    thief = another(host)
    answer = thief.enrol(make_token(server.site, "dev"))
    assert answer.status == 403
    assert "waits for a decision" in answer.json["error"]
    assert thief.check_in().status == 401
    assert host.check_in().status == 200, "the host keeps its key"
    record = server.site.hosts.find(host.name)
    assert record is not None
    assert record.environment == "prod"


def test_the_same_key_does_not_move_to_another_environment_by_a_token(server: Server) -> None:
    host = enrolled(server)
    assert host.enrol(make_token(server.site, "dev")).status == 403
    record = server.site.hosts.find(host.name)
    assert record is not None
    assert record.environment == "prod"


def test_a_token_of_the_same_environment_does_not_replace_a_live_key(server: Server) -> None:
    host = enrolled(server)
    assert another(host).enrol(make_token(server.site, "prod")).status == 403
    assert host.check_in().status == 200


def test_the_same_key_may_enrol_again_with_any_token_of_its_environment(server: Server) -> None:
    host = enrolled(server)
    assert host.enrol(make_token(server.site, "prod")).status == 204


def test_a_token_made_for_a_host_lets_no_other_in(server: Server) -> None:
    token = make_token(server.site, "prod", next(NAMES))
    answer = ScriptedHost(server, next(NAMES)).enrol(token)
    assert answer.status == 403
    assert "made for PROD-" in answer.json["error"]


def test_a_token_made_for_a_host_replaces_its_key_and_both_sides_see_it(server: Server) -> None:
    host = enrolled(server)
    host.machine = f"{next(RUNS)} 1"
    host.check_in()
    new = another(host)
    assert new.enrol(make_token_for(server.site, host.name)).status == 204
    assert new.check_in().status == 200
    answer = eventually(lambda: (said := host.check_in()).status == 401 and b"was replaced" in said.body and said)
    assert "127.0.0.1" in answer.json["error"]
    (facts,) = happened(server, "hostReplaced", host.name)
    assert facts["address"] == "127.0.0.1"
    assert facts["key"] == protocol.hash_key(new.key)
    assert facts["oldKey"] == protocol.hash_key(host.key)
    assert "made for this host" in facts["by"]
    assert "key replaced" in run(server, "host", host.name)


# A person's decision


def pending(server: Server, host: ScriptedHost) -> tuple[ScriptedHost, str, str]:
    """Return a reinstalled machine that waits for a decision, with its token and the id of its key."""
    new, token = another(host, f"new key of {host.name}"), make_token(server.site, "prod")
    assert new.enrol(token).status == 403
    return new, token, protocol.hash_key(new.key)[:12]


def run(server: Server, *words: str) -> str:
    made = CliRunner().invoke(app, [*words, "--data", str(server.site.settings.data)], catch_exceptions=False)
    assert made.exit_code == 0, made.output
    return made.output


def test_a_reinstalled_machine_waits_visibly_and_gets_in_when_a_person_approves(server: Server) -> None:
    host = enrolled(server)
    new, token, key = pending(server, host)
    state = status_of(server, host.name)
    assert state.reason == "ReplacementPending"
    assert f"reconciler agent approve {host.name} {key}" in state.message
    assert new.enrol(token).status == 403, "it may ask again and again"
    assert len(happened(server, "replacementAsked", host.name)) == 1
    assert key in run(server, "agent", "approve", host.name, key)
    assert new.enrol(token).status == 204
    assert new.check_in().status == 200
    assert eventually(lambda: host.check_in().status == 401)
    assert status_of(server, host.name).reason != "ReplacementPending"
    (facts,) = happened(server, "hostReplaced", host.name)
    assert facts["by"]


def test_a_decision_is_taken_over_without_the_host_asking_again(server: Server) -> None:
    host = enrolled(server)
    new, _, key = pending(server, host)
    run(server, "agent", "approve", host.name, key)
    eventually(lambda: new.check_in().status == 200)
    assert host.check_in().status == 401


def test_a_refused_machine_stays_out(server: Server) -> None:
    host = enrolled(server)
    new, token, key = pending(server, host)
    run(server, "agent", "refuse", host.name, key)
    answer = new.enrol(token)
    assert answer.status == 403
    assert "refused" in answer.json["error"]
    assert host.check_in().status == 200
    assert happened(server, "replacementRefused", host.name)


def test_a_decision_names_the_key_that_was_shown(server: Server) -> None:
    host = enrolled(server)
    pending(server, host)
    thief = another(host, "the key of a thief")
    thief.enrol(make_token(server.site, "dev"))
    for identity in ("0" * 12, "", protocol.hash_key(thief.key)[:3]):
        made = CliRunner().invoke(
            app, ["agent", "approve", host.name, identity, "--data", str(server.site.settings.data)]
        )
        assert made.exit_code != 0
    assert host.check_in().status == 200


def test_one_token_asks_for_one_host_only(server: Server) -> None:
    host, other = enrolled(server), enrolled(server)
    token = make_token(server.site, "dev")
    assert another(host).enrol(token).status == 403
    answer = another(other).enrol(token)
    assert "was used by" in answer.json["error"]
    assert status_of(server, other.name).reason != "ReplacementPending"


# Machines


class Agent:
    """An agent of a host as its server sees it: each start has a name and a number, each check-in its own."""

    def __init__(self, host: ScriptedHost, start: int, machine: str = "aa") -> None:
        self._host, self.start, self.machine = host, start, machine
        self.restart(start)

    def restart(self, start: int | None = None) -> None:
        self.run, self.sequence = next(RUNS), 0
        self.start = self.start + 1 if start is None else start

    def speak(self) -> None:
        self._host.machine = f"{self.run} {self.start} {self.machine}"
        self._host.sequence = self.sequence

    def check_in(self, assignment: str = "") -> Answer:
        self.sequence += 1
        self.speak()
        return self._host.check_in(assignment)

    def is_served(self) -> bool:
        return bool(self.goals())

    def goals(self) -> Any:
        """Return the goals of the assignment that it is given now."""
        answer = eventually(lambda: "assignment" in (said := self.check_in()).json and said)
        return answer.json["assignment"].get("goals")


def test_a_restarted_agent_is_the_same_host(server: Server) -> None:
    agent = Agent(enrolled(server), 1)
    for _ in range(4):
        assert agent.is_served()
        agent.restart()
    assert not happened(server, "agentWentBack", agent._host.name)


def test_a_reverted_snapshot_goes_on_and_is_on_record(server: Server) -> None:
    agent = Agent(enrolled(server), 7)
    assert agent.is_served()
    agent.restart(4)
    assert agent.is_served()
    agent.restart()
    assert agent.is_served()
    assert happened(server, "agentWentBack", agent._host.name)
    assert status_of(server, agent._host.name).reason != "Quarantined"


def test_a_snapshot_with_its_memory_goes_on_with_a_new_run(server: Server) -> None:
    agent = Agent(enrolled(server), 3)
    for _ in range(5):
        assert agent.is_served()
    agent.sequence = 1
    answer = agent.check_in()
    assert answer.json["renew"] is True
    assert happened(server, "agentWentBack", agent._host.name)
    agent.restart()
    assert "renew" not in agent.check_in().json
    assert agent.is_served()


def test_a_request_that_was_sent_twice_is_no_second_machine(server: Server) -> None:
    agent = Agent(enrolled(server), 3)
    agent.check_in()
    agent.sequence -= 1
    assert "renew" not in agent.check_in().json


def take_turns(first: Agent, second: Agent) -> None:
    for _ in range(4):
        first.check_in()
        second.check_in()


@pytest.mark.parametrize("start", [4, 5, 9])
def test_of_two_machines_that_take_turns_the_second_is_quarantined(server: Server, start: int) -> None:
    host = enrolled(server)
    original, clone = Agent(host, 5), Agent(host, start)
    take_turns(original, clone)
    assert original.is_served()
    answer = clone.check_in()
    assert not answer.json["assignment"].get("goals")
    assert answer.json["assignment_digest"] == "quarantined"
    assert "in quarantine" in answer.json["notice"]
    assert clone.check_in("quarantined").status == 204
    clone.speak()
    assert host.send(protocol.Report(Observation(system="a clone"))).status == 403
    assert host.ask("GET", protocol.ARTIFACTS + "a" * 64).status == 403
    state = status_of(server, host.name)
    assert state.reason == "Quarantined"
    assert f"reconciler agent refuse {host.name} {clone.run[:12]}" in state.message
    assert happened(server, "machineQuarantined", host.name)


def test_a_second_machine_that_renames_itself_at_each_request_is_quarantined(server: Server) -> None:
    host = enrolled(server)
    original, thief = Agent(host, 5), Agent(host, 5)
    for _ in range(6):
        original.check_in()
        thief.check_in()
        thief.restart()
    assert original.is_served()
    assert not thief.is_served()


def test_a_fork_that_shares_even_the_run_is_quarantined(server: Server) -> None:
    """Two machines from one snapshot with its memory: each is asked for a new run when it counts back."""
    host = enrolled(server)
    original, fork = Agent(host, 5), Agent(host, 5)
    fork.run = original.run
    for _ in range(3):
        original.check_in()
    for _ in range(8):
        for agent in (fork, original):
            if agent.check_in().json.get("renew"):
                agent.restart()
    assert sorted([original.is_served(), fork.is_served()]) == [False, True]


def test_a_copy_of_the_key_on_another_machine_is_quarantined_at_once(server: Server) -> None:
    host = enrolled(server)
    original, thief = Agent(host, 5, "aa"), Agent(host, 6, "bb")
    assert original.is_served()
    assert not thief.is_served()
    assert original.is_served()
    thief.restart()
    assert not thief.is_served(), "another start does not help"


@pytest.mark.parametrize("header", ["", "garbage", f"{9:032x} 7 bb", f"{9:032x} 7"])
def test_another_machine_neither_fetches_nor_hands_over_files_whatever_it_says_it_is(
    server: Server, header: str
) -> None:
    host = enrolled(server)
    original, thief = Agent(host, 5, "aa"), Agent(host, 6, "bb")
    assert original.is_served()
    assert not thief.is_served()
    for method, path in (("GET", protocol.ARTIFACTS + "0" * 64), ("PUT", protocol.LOGS + "a" * 32)):
        host.machine = header
        assert host.ask(method, path, b"x").status == 403
        original.speak()
        assert host.ask(method, path, b"x").status == 404, "it is asked of the host itself"


def test_a_flood_from_a_machine_in_quarantine_takes_nothing_from_the_host(server: Server) -> None:
    host = enrolled(server)
    original, thief = Agent(host, 5, "aa"), Agent(host, 6, "bb")
    assert original.is_served()
    assert not thief.is_served()
    for _ in range(200):
        assert host.send(protocol.Report(host.report.observation)).status == 403
    original.speak()
    assert host.send(protocol.Report(host.report.observation)).status == 204


def test_an_agent_that_hides_its_machine_takes_turns_as_well(server: Server) -> None:
    host = enrolled(server)
    original = Agent(host, 5)
    for _ in range(4):
        original.check_in()
        host.machine = ""
        host.check_in("")
    host.machine = ""
    assert not host.check_in("").json["assignment"].get("goals")
    assert original.is_served()


def test_while_two_machines_are_known_a_new_start_waits_for_a_person(server: Server) -> None:
    host = enrolled(server)
    original, clone = Agent(host, 5), Agent(host, 5)
    take_turns(original, clone)
    original.restart()
    assert not original.is_served(), "it may be the clone that has started again"
    run(server, "agent", "refuse", host.name, clone.run)
    run(server, "agent", "approve", host.name, original.run[:8])
    eventually(original.is_served)
    assert status_of(server, host.name).reason != "Quarantined"
    assert not clone.is_served(), "it stays out"
    original.restart()
    assert original.is_served()
    assert happened(server, "machineApproved", host.name)[0]["by"]


def test_a_quarantine_outlives_a_restart_of_the_daemon(server: Server) -> None:
    host = enrolled(server)
    original, clone = Agent(host, 5), Agent(host, 5)
    take_turns(original, clone)
    server.process.kill()
    server.start()
    assert not clone.is_served()
    assert original.is_served()


def test_a_host_that_starts_all_the_time_is_told_to_wait(server: Server) -> None:
    agent = Agent(enrolled(server), 1)
    statuses = []
    for _ in range(60):
        statuses.append(agent.check_in().status)
        agent.restart()
    assert set(statuses) == {200, 429}
    assert len(server.site.machines.of(agent._host.name)) <= REMEMBERED_RUNS + 1


@pytest.mark.parametrize(
    ("header", "start"),
    [
        (b"%032x 7 aa" % 1, Start(f"{1:032x}", 7, "aa")),
        (b"%032x 7" % 1, Start(f"{1:032x}", 7)),
        (b"%032x 7 " % 1, Start(f"{1:032x}", 7)),
        (b"", Start("")),
        (b"%032x" % 1, Start("")),
        (b"%032x 99999999999 aa" % 1, Start("")),
        (b"\xff\x00 1 aa", Start("")),
    ],
)
def test_the_header_of_a_machine_is_read_or_counts_for_nothing(header: bytes, start: Start) -> None:
    assert parse_start(header) == start


def test_quarantined_runs_are_bounded() -> None:
    known: tuple[MachineRecord, ...] = ()
    for number in range(200):
        known = judge(
            known, Start(f"{number:032x}", number, f"{number:04x}"), "H", "10.0.0.7", float(number)
        ).records
    assert len(known) == REMEMBERED_RUNS + 1
    assert [record.run for record in known if record.state is MachineState.CURRENT] == ["0" * 32]
