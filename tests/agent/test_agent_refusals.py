"""What the server refuses permanently blocks nothing. The agent waits as told, and names each of its starts."""

from __future__ import annotations

import hashlib
import json
import logging
import time

import pytest

from reconciler.agent.clock import ServerClock
from reconciler.agent.contact import ATTEMPTS_AT_ONCE, Contact, Findings
from reconciler.agent.journal import Journal
from reconciler.agent.settings import SETTINGS_NAME, Settings
from reconciler.agent.state import AgentState
from reconciler.kernel.attempts import Attempt, Outcome
from reconciler.kernel.observation import Observation
from reconciler.kernel.steps import Step, StepKind


class Told:
    """A contact with a journal of ended attempts."""

    def __init__(self, data, server, attempts=0):
        data.mkdir(exist_ok=True)
        (data / SETTINGS_NAME).write_text(json.dumps({"server": server.url, "host": "HOST7", "token": "token"}))
        self.data = data
        self.state = AgentState(data)
        self.journal = Journal(data / "journal.jsonl")
        for number in range(attempts):
            attempt = Attempt(f"{number:08x}", "sample", StepKind.INSTALL, "goal", "c0ffee", 100.0)
            self.journal.start(attempt, Step(StepKind.INSTALL, "sample", None, "1.0.0", ()))
            ended = Attempt(
                attempt.id,
                "sample",
                StepKind.INSTALL,
                "goal",
                "c0ffee",
                100.0,
                None,
                "1.0.0",
                101.0,
                Outcome.FAILED,
            )
            self.journal.end(ended)
        settings = Settings(server.url, "HOST7", "token", poll_seconds=60)
        self.contact = Contact(settings, data, self.state, self.journal, ServerClock(0, lambda _offset: None))

    def exchange(self):
        self.contact.exchange(Findings(Observation(system="x"), self.journal.unconfirmed), None)

    def close(self):
        self.contact.close()


@pytest.fixture
def told(tmp_path, server):
    made = []

    def make(attempts=0, folder="agent"):
        made.append(Told(tmp_path / folder, server, attempts))
        return made[-1]

    yield make
    for contact in made:
        contact.close()


def test_an_attempt_that_is_refused_permanently_is_dropped_alone_and_logged(server, told, caplog):
    agent = told(attempts=5)
    server.refuse_report = lambda report: (400, {}) if any(a.id == "00000003" for a in report.attempts) else None
    with caplog.at_level(logging.WARNING):
        agent.exchange()
    assert {attempt.id for attempt in server.attempts()} == {"00000000", "00000001", "00000002", "00000004"}
    assert agent.journal.unconfirmed == ()
    assert "refused this attempt permanently" in caplog.text
    assert "00000003" in caplog.text
    assert len(server.check_ins) == 1, "the check-in comes all the same"


def test_an_observation_that_is_refused_permanently_blocks_no_check_in_and_drops_no_attempt(server, told):
    agent = told(attempts=2)
    server.refuse_report = lambda _report: (413, {})
    agent.exchange()
    assert len(server.check_ins) == 1
    assert len(agent.journal.unconfirmed) == 2
    findings = Findings(Observation(system="x"), agent.journal.unconfirmed)
    assert not agent.contact.has_news(findings), "it is not sent again at once"


def test_a_server_that_wants_a_report_later_gets_it_later(server, told):
    agent = told(attempts=1)
    server.refuse_report = lambda _report: (429, {"Retry-After": "500"})
    agent.exchange()
    assert len(server.check_ins) == 1, "the check-in comes all the same"
    assert len(agent.journal.unconfirmed) == 1
    assert not agent.contact.has_news(Findings(Observation(), agent.journal.unconfirmed))
    assert agent.contact.due_at - time.monotonic() < 70, "check-ins do not wait for that"


def test_many_attempts_are_told_in_several_reports(server, told):
    agent = told(attempts=2 * ATTEMPTS_AT_ONCE + 1)
    agent.exchange()
    assert [len(report.attempts) for report in server.reports] == [ATTEMPTS_AT_ONCE, ATTEMPTS_AT_ONCE, 1]
    assert agent.journal.unconfirmed == ()


def test_what_the_server_left_out_is_logged(server, told, caplog):
    agent = told()
    server.report_notes = ("observation.products[3]: it is missing",)
    with caplog.at_level(logging.WARNING):
        agent.exchange()
    assert "observation.products[3]" in caplog.text


def test_a_log_that_is_refused_permanently_is_dropped_and_no_other(server, told):
    agent = told()
    logs = agent.data / "logs" / "attempts"
    logs.mkdir(parents=True)
    (logs / "ffffffff.log").write_text("of an attempt that the server does not know")
    agent.exchange()
    assert list(logs.iterdir()) == []


def test_each_start_has_a_name_of_its_own_and_a_higher_number(server, told):
    first = told()
    first.exchange()
    first.exchange()
    again = told()
    again.exchange()
    (run, start), (same, _), (other, later) = (said.split(" ") for said in server.machines)
    assert run == same != other
    assert (int(start), int(later)) == (1, 2)
    assert [check_in.sequence for check_in in server.check_ins] == [1, 2, 1]


def test_an_agent_takes_a_new_run_when_the_server_asks_for_one(server, told):
    agent = told()
    server.answer_check_in_with = b'{"renew": true}'
    agent.exchange()
    agent.exchange()
    (run, start, *_), (other, later, *_) = (said.split(" ") for said in server.machines)
    assert run != other
    assert int(later) == int(start) + 1


def test_the_machine_is_named_by_a_hash_only(server, told):
    agent = told()
    agent.contact.know_machine("a1b2-its-guid")
    agent.exchange()
    assert server.machines[0].endswith(f" {hashlib.sha256(b'a1b2-its-guid').hexdigest()[:32]}")
    assert "a1b2" not in server.machines[0]


def test_why_a_machine_is_in_quarantine_is_logged_once(server, told, caplog):
    agent = told()
    server.answer_check_in_with = b'{"notice": "this machine is in quarantine"}'
    with caplog.at_level(logging.WARNING):
        agent.exchange()
        agent.exchange()
    assert caplog.text.count("this machine is in quarantine") == 1
