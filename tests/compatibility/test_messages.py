"""Peers of an earlier and of a later release are understood."""

from __future__ import annotations

import json
import time
from email.utils import parsedate_to_datetime

import pytest

from reconciler.agent.settings import SETTINGS_NAME
from reconciler.kernel import protocol
from reconciler.kernel.attempts import Outcome
from reconciler.kernel.wire import decode, encode
from reconciler.operations.token import make_token
from reconciler.testing.sample_packages import Catalog
from reconciler.testing.waiting import eventually
from tests.compatibility.conftest import MESSAGES, PEERS, frozen
from tests.daemon.conftest import ScriptedHost

KINDS = {
    "enrol": protocol.EnrolRequest,
    "check-in": protocol.CheckIn,
    "check-in-answer": protocol.CheckInAnswer,
    "report": protocol.Report,
    "report-answer": protocol.ReportAnswer,
}


def test_every_message_is_frozen_for_every_peer():
    assert {"0.1.0", "earlier", "later"} <= set(PEERS)
    for peer in PEERS:
        assert {file.stem for file in (MESSAGES / peer).iterdir()} == set(KINDS)


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("message", KINDS)
def test_todays_code_understands_it(peer, message):
    decode(KINDS[message], frozen(peer, message, SIZE=1))


@pytest.mark.parametrize("message", KINDS)
def test_nothing_of_a_released_message_is_lost(message):
    """What is at its default now may be left out, and nothing else."""
    released = frozen("0.1.0", message, SIZE=1)
    assert encode(decode(KINDS[message], released)) == released


@pytest.mark.parametrize("peer", PEERS)
def test_todays_server_serves_such_an_agent(server, peer):
    host = ScriptedHost(server, "DEV-07")
    token = make_token(server.site, "dev")
    enrol = frozen(peer, "enrol", TOKEN=token, KEY_SHA256=protocol.hash_key(host.key))
    eventually(lambda: host.ask("POST", protocol.ENROL, json.dumps(enrol).encode()).status == 204)
    check_in = json.dumps(frozen(peer, "check-in")).encode()
    answer = eventually(lambda: _with_assignment(host.ask("POST", protocol.CHECK_IN, check_in)))
    assert answer.json["send_report"] is True
    assert abs(parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time()) < 60
    assert answer.json["assignment"]["goals"][0]["package"] == "app"
    report = frozen(peer, "report")
    assert host.ask("POST", protocol.REPORT, json.dumps(report).encode()).status == 204
    assert len(server.site.attempts.newest()) == len(report.get("attempts", []))
    known = {"report": report.get("digest", ""), "assignment": answer.json["assignment_digest"]}
    assert host.ask("POST", protocol.CHECK_IN, json.dumps(known).encode()).status == 204


def _with_assignment(answer):
    assert answer.status == 200
    return answer if "assignment" in answer.json else None


@pytest.mark.parametrize("peer", PEERS)
def test_todays_agent_works_for_such_a_server(agent_server, machine, data, start, peer):
    release = Catalog(agent_server.artifacts).release("1.0.0", 1)
    answer = frozen(
        peer,
        "check-in-answer",
        PRODUCT_CODE=release.product_code,
        PACKAGE_CODE=release.package_code,
        SHA256=release.artifact.sha256,
        SIZE=release.artifact.size,
    )
    agent_server.answer_check_in_with = json.dumps(answer).encode()
    (data / SETTINGS_NAME).write_text(
        json.dumps({"server": agent_server.url, "host": "HOST7", "token": "token", "pollSeconds": 0.1})
    )
    start(machine, 0.1)
    (attempt,) = agent_server.wait_for(lambda s: s.attempts())
    assert (attempt.outcome, attempt.to_version) == (Outcome.SUCCEEDED, "1.0.0")
    agent_server.wait_for(lambda s: s.check_ins[-1].assignment == "an-assignment")
