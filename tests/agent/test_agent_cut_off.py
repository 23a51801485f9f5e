"""The server goes away, talks garbage, or is not the one that was pinned: the agent keeps its machine."""

from __future__ import annotations

import time

import pytest

from reconciler.agent.clock import ServerClock
from reconciler.agent.connection import Connection, ServerUnavailable
from reconciler.agent.contact import Contact, Findings
from reconciler.agent.journal import Journal
from reconciler.agent.settings import Settings
from reconciler.agent.state import AgentState
from reconciler.kernel.observation import Observation
from reconciler.testing.agent_server import AgentServer
from reconciler.testing.sample_packages import installed


def ended(count):
    return lambda server: len(server.attempts()) >= count


def test_drift_is_mended_while_the_server_is_away_and_told_when_it_is_back(server, machine, catalog, start):
    release = catalog.release("1.0.0", 1)
    server.assign(catalog.assignment(release))
    start()
    server.wait_for(ended(1))
    server.wait_for(lambda s: s.check_ins[-1].report == s.reports[-1].digest)  # the agent knows that it was heard
    server.close()
    machine.windows.remove(release.product_code)
    _wait_until(lambda: machine.windows.state().products == (installed(release),))
    back = AgentServer(port=server.port)
    try:
        back.key_sha256, back.assignment = server.key_sha256, server.assignment
        back.wait_for(ended(1))
        assert [a.outcome.value for a in back.attempts()] == ["succeeded"]
        assert len(server.attempts()) == 1
    finally:
        back.close()


def test_a_restarted_agent_works_from_the_assignment_it_has(server, machine, catalog, start):
    release = catalog.release("1.0.0", 1)
    server.assign(catalog.assignment(release))
    agent = start()
    server.wait_for(ended(1))
    agent.stop()
    server.close()
    machine.windows.remove(release.product_code)
    start()
    _wait_until(lambda: machine.windows.state().products == (installed(release),))


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\xff\xfe", b"[]", b"{", b'{"assignment": 7}', b'{"assignment": {"host": "HOST7"}}', b"[" * 200_000],
)
def test_garbage_from_the_server_does_no_harm(server, machine, catalog, start, garbage):
    release = catalog.release("1.0.0", 1)
    server.answer_check_in_with = garbage
    server.assign(catalog.assignment(release))
    start()
    server.wait_for(lambda s: len(s.check_ins) >= 3)
    server.answer_check_in_with = None
    server.wait_for(ended(1))
    assert machine.windows.state().products == (installed(release),)


def test_an_assignment_that_makes_no_sense_does_no_harm(server, machine, catalog, start):
    release = catalog.release("1.0.0", 1)
    good = catalog.assignment(release)
    bad_release = catalog.release("not a version", 2)
    machine.windows.put(installed(release))
    server.assign(catalog.assignment(bad_release))
    start()
    server.wait_for(lambda s: len(s.check_ins) >= 4)
    machine.windows.remove(release.product_code)
    server.assign(good)
    server.wait_for(ended(1))
    assert machine.windows.state().products == (installed(release),)


def test_tries_to_reach_an_absent_server_grow_rarer_up_to_a_bound(tmp_path, server):
    server.close()
    contact = _contact(tmp_path, Settings(server.url, "HOST7", "t", poll_seconds=10))
    delays = []
    for _ in range(8):
        contact.exchange(Findings(Observation()), None)
        delays.append(contact.due_at - time.monotonic())
        contact.hasten()
        assert contact.due_at - time.monotonic() > 5, "news must not override the backoff"
    assert 8.5 <= delays[0] <= 11.5
    assert 17 <= delays[1] <= 23
    assert delays[2] > delays[1]
    assert all(60 <= delay <= 89 for delay in delays[4:])
    assert len(set(delays[4:])) == 4, "without jitter all hosts would come back at once"


def test_a_refused_host_keeps_asking_without_an_end_of_its_own(server, machine, catalog, start):
    server.token = "another"
    server.assign(catalog.assignment(catalog.release("1.0.0", 1)))
    start()
    server.wait_for(lambda s: len(s.enrolments) >= 3)
    assert server.reports == []
    server.token = "token"
    server.wait_for(ended(1))


def test_the_whole_way_works_over_tls_with_the_pinned_authority(tls_server, tmp_path, certificates):
    contact = _contact(tmp_path, Settings(tls_server.url, "HOST7", "token", certificates / "ours.pem"))
    contact.exchange(Findings(Observation(system="x")), None)
    contact.close()
    assert tls_server.reports[-1].observation.system == "x"


def test_another_authority_is_not_trusted_and_gets_no_secret(tls_server, tmp_path, certificates):
    contact = _contact(tmp_path, Settings(tls_server.url, "HOST7", "token", certificates / "theirs.pem"))
    contact.exchange(Findings(Observation()), None)
    assert tls_server.enrolments == []
    with (
        pytest.raises(ServerUnavailable, match="CERTIFICATE_VERIFY_FAILED"),
        Connection(tls_server.url, certificates / "theirs.pem").request("GET", "/", {}),
    ):
        pass


def _contact(folder, settings):
    (folder / "agent.json").write_text('{"token": "token"}')
    return Contact(settings, folder, AgentState(folder), Journal(folder / "journal.jsonl"), ServerClock())


def _wait_until(holds, seconds=90.0):
    import threading

    event, deadline = threading.Event(), time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        event.wait(0.02)
