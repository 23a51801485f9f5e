"""The daemon as agents see it: who gets in, what is answered, what is kept."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from reconciler.hosts.tickets import DOWNLOADS
from reconciler.kernel import protocol
from reconciler.kernel.attempts import Attempt, Outcome
from reconciler.kernel.observation import Observation
from reconciler.kernel.protocol import assignment_digest
from reconciler.kernel.steps import StepKind
from reconciler.operations.token import make_token
from reconciler.settings import Settings
from reconciler.site import open_site
from reconciler.store.hosts import EnrolmentToken
from reconciler.testing.waiting import eventually
from tests.daemon.conftest import FILES, ScriptedHost, Server


def attempt(identity: str, **changes: Any) -> Attempt:
    values = {"started_at": 100.0, "ended_at": 101.0, "outcome": Outcome.SUCCEEDED, **changes}
    return Attempt(identity, "app", StepKind.INSTALL, "goal", "c0ffee", to_version="1.0.0", **values)


def test_a_token_lets_one_host_in_and_no_other(server: Server) -> None:
    token = make_token(server.site, "dev")
    host = ScriptedHost(server, "DEV-07")
    assert host.enrol(token).status == 204
    assert host.enrol(token).status == 204, "the answer may have got lost, so the host asks again"
    assert ScriptedHost(server, "DEV-08").enrol(token).status == 403
    assert ScriptedHost(server, "DEV-07", key="another").enrol(token).status == 403
    assert ScriptedHost(server, "DEV-09").enrol("made up").status == 403


def test_a_host_named_for_prod_does_not_get_in_with_a_token_for_dev(server: Server) -> None:
    answer = ScriptedHost(server, "prod-01").enrol(make_token(server.site, "dev"))
    assert answer.status == 403
    assert "puts this host into prod" in answer.json["error"]


def test_nobody_gets_in_before_it_is_known_where_hosts_belong(tmp_path: Path) -> None:
    """A file may put the host elsewhere than its token says."""
    with open_site(Settings(data=tmp_path / "data", repository=str(tmp_path / "fleet.git"))) as site:
        empty = Server(tmp_path, site)
        empty.start()
        try:
            token, now = "t" * 43, site.clock()
            made = EnrolmentToken(protocol.hash_key(token), "dev", now + 60, None, None)
            site.hosts.add_token(made, now)
            host = ScriptedHost(empty, "PROD-01")
            answer = host.ask_to_enrol(token)
            assert (answer.status, "ask again" in answer.json["error"]) == (503, True)
            empty.publish(FILES)
            assert host.enrol(token).status == 403
        finally:
            empty.process.kill()


def test_an_agent_whose_host_is_kept_by_winrm_is_asked_for_nothing(server: Server) -> None:
    host = server.enrolled("DEV-07")
    assert host.assigned().goals
    pushed = "driver: winrm\naddress: http://127.0.0.1:9\nwinrm: {grant: nobody-granted-this}\n"
    server.publish({"environments/dev/hosts/DEV-07.yaml": pushed})
    nothing = eventually(lambda: (found := host.assigned()) and not found.goals and found)
    assert nothing.host == "DEV-07"
    assert host.check_in("pushed").status == 204
    said = protocol.Report(Observation(system="what the agent says"), "pushed")
    assert host.send(said).status == 204
    kept = server.site.hosts.find("DEV-07")
    assert kept is not None
    assert kept.observation is None, "the server sees for itself"
    trouble = eventually(lambda: (found := server.site.hosts.find("DEV-07")) and found.trouble)
    assert "nobody-granted-this" in trouble


def test_a_file_alone_lets_a_pushed_host_in_and_out_again(server: Server) -> None:
    pushed = "driver: winrm\naddress: http://127.0.0.1:9\nwinrm: {grant: nobody-granted-this}\n"
    server.publish({"environments/dev/hosts/DEV-08.yaml": pushed})
    assert eventually(lambda: server.site.hosts.find("DEV-08"))
    assert ScriptedHost(server, "DEV-08", key="").check_in().status == 401, "nobody can speak for it"
    server.publish({"environments/dev/hosts/DEV-08.yaml": "labels: {}\n"})
    eventually(lambda: server.site.hosts.find("DEV-08") is None)


def test_a_download_wants_a_ticket(server: Server) -> None:
    stranger = ScriptedHost(server, "DEV-07")
    assert stranger.ask("GET", f"{DOWNLOADS}made-up/app.msi").status == 403


def test_without_its_key_a_host_is_nobody(server: Server) -> None:
    server.enrolled("DEV-07")
    stranger = ScriptedHost(server, "DEV-07", key="wrong")
    assert stranger.check_in().status == 401
    assert stranger.send(protocol.Report(Observation())).status == 401
    assert stranger.ask("GET", protocol.ARTIFACTS + "a" * 64).status == 401
    assert stranger.ask("PUT", protocol.LOGS + "12345678", b"log").status == 401


def test_the_answer_is_204_until_something_is_new(server: Server) -> None:
    host = server.enrolled("DEV-07")
    assignment = host.assigned()
    assert [goal.target.version for goal in assignment.goals if goal.target] == ["1.0.0"]
    assert host.send(protocol.Report(Observation(system="Windows"), assignment_digest(assignment))).status == 204
    assert host.check_in().status == 204

    server.publish({"docs/README.md": "nothing that concerns a host"})
    assert host.check_in().status == 204

    commit = server.publish({"environments/dev/environment.yaml": "packages:\n  app: 2.0.0\n"})
    newer = host.assigned()
    assert newer.revision == commit
    assert [goal.target.version for goal in newer.goals if goal.target] == ["2.0.0"]


def test_a_report_that_the_server_lacks_is_asked_for(server: Server) -> None:
    host = server.enrolled("DEV-07")
    assert host.check_in().json["send_report"] is True


def test_the_same_outcome_reported_twice_is_kept_once_and_never_changes(server: Server) -> None:
    host = server.enrolled("DEV-07")
    done = attempt("11111111-1")
    for _ in range(2):
        assert host.send(protocol.Report(Observation(), "", (done,))).status == 204
    rewritten = attempt("11111111-1", outcome=Outcome.FAILED, message="changed my mind")
    assert host.send(protocol.Report(Observation(), "", (rewritten,))).status == 204
    (record,) = server.site.attempts.newest()
    assert record.attempt == done


def test_an_attempt_that_runs_is_kept_and_its_end_added(server: Server) -> None:
    host = server.enrolled("DEV-07")
    host.send(protocol.Report(Observation(), "", (attempt("11111111-1", ended_at=None, outcome=None),)))
    host.send(protocol.Report(Observation(), "", (attempt("11111111-1"),)))
    (record,) = server.site.attempts.newest()
    assert record.attempt.outcome is Outcome.SUCCEEDED


def test_a_host_speaks_only_of_its_own_attempts(server: Server) -> None:
    one, other = server.enrolled("DEV-07"), server.enrolled("DEV-08")
    running = attempt("11111111-1", ended_at=None, outcome=None)
    one.send(protocol.Report(Observation(), "", (running,)))
    other.send(protocol.Report(Observation(), "", (attempt("11111111-1", outcome=Outcome.FAILED),)))
    (record,) = server.site.attempts.newest()
    assert (record.host, record.attempt) == ("DEV-07", running)
    assert other.ask("PUT", protocol.LOGS + "11111111-1", b"not mine").status == 404
    assert one.ask("PUT", protocol.LOGS + "11111111-1", b"mine").status == 204
    log = server.site.logs.find("11111111-1")
    assert log is not None
    assert log.read_bytes() == b"mine"


def test_artifacts_come_whole_or_in_part(server: Server, tmp_path: Path) -> None:
    host = server.enrolled("DEV-07")
    content = bytes(range(256)) * 5000
    (tmp_path / "app.msi").write_bytes(content)
    artifact = server.site.artifacts.add(tmp_path / "app.msi")
    assert artifact.sha256 == hashlib.sha256(content).hexdigest()
    whole = host.ask("GET", protocol.ARTIFACTS + artifact.sha256)
    assert (whole.status, whole.body) == (200, content)
    rest = host.ask("GET", protocol.ARTIFACTS + artifact.sha256, headers={"Range": "bytes=1000000-"})
    assert (rest.status, rest.body) == (206, content[1000000:])


@pytest.mark.parametrize("name", ["0" * 64, "nonsense", "..%2Freconciler.sqlite", "A" * 64])
def test_nothing_but_artifacts_is_given_out(server: Server, name: str) -> None:
    assert server.enrolled("DEV-07").ask("GET", protocol.ARTIFACTS + name).status == 404


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"report": 1}', b'{"observation": {"products": 5}}', b"\xff" * 100]
)
def test_malformed_messages_are_answered_and_harm_nothing(server: Server, body: bytes) -> None:
    host = server.enrolled("DEV-07")
    for path in (protocol.CHECK_IN, protocol.REPORT, protocol.ENROL):
        assert host.ask("POST", path, body).status == 400
    assert host.check_in().status == 200


def test_an_attempt_with_a_crafted_id_is_left_out(server: Server) -> None:
    host = server.enrolled("DEV-07")
    answer = host.send(protocol.Report(Observation(), "", (attempt("../../../etc/passwd"),)))
    assert answer.status == 200
    assert "attempts[0].id" in answer.json["notes"][0]
    assert server.site.attempts.newest() == ()


def test_messages_beyond_their_size_are_refused(server: Server) -> None:
    host = server.enrolled("DEV-07")
    assert host.ask("POST", protocol.CHECK_IN, b" " * 70_000).status == 400
    host.send(protocol.Report(Observation(), "", (attempt("11111111-1"),)))
    too_long = b"x" * (protocol.LONGEST_LOG * 2 + 1)
    assert host.ask("PUT", protocol.LOGS + "11111111-1", too_long).status == 413
