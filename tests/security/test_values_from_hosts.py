"""Values from hosts: whatever a host reports is bounded, breaks no page, and costs it only that value."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from reconciler.cli.main import app
from reconciler.hosts.reports import Reports
from reconciler.hosts.roster import Roster
from reconciler.hosts.winrm.inventory import read_inventory
from reconciler.hosts.winrm.numbers import whole_number
from reconciler.hosts.winrm.questions import Questions
from reconciler.hosts.winrm.reg_query import InventoryIncomplete
from reconciler.kernel import protocol
from reconciler.kernel.observation import Observation
from reconciler.kernel.probes import Probe, ProbeKind
from reconciler.kernel.screening import ATTEMPTS_OF_A_REPORT, read_stored, screen_report
from reconciler.kernel.wire import encode
from reconciler.testing.waiting import eventually
from tests.daemon.conftest import Answer, ScriptedHost, Server, running_server

NOW = time.time()
IDS = (f"{number:08x}" for number in itertools.count(1))
PRODUCT = {
    "product_code": "{00000000-0000-0000-0000-0000000000A1}",
    "version": "1.0.0",
    "name": "App",
    "package_code": "{00000000-0000-0000-0000-0000000000B1}",
    "upgrade_code": "{00000000-0000-0000-0000-00000000000F}",
}
OBSERVATION = {
    "products": [PRODUCT],
    "reboot_pending": ["Windows Update"],
    "reboot_asked_by": "app",
    "booted_at": int(NOW) - 1000,
    "system": "Windows 10.0.19045 AMD64",
    "agent_version": "0.1.0",
    "patches": [{"patch_code": PRODUCT["product_code"], "product_code": PRODUCT["product_code"]}],
    "answers": [{"probe": "service:Spooler", "text": "running automatic"}],
    "tallies": [
        {
            "package": "app",
            "goal": "a-goal",
            "failures": 1,
            "last_ended_at": NOW - 50,
            "last_outcome": "failed",
            "failure": {"outcome": "failed", "exit_code": 1603},
        }
    ],
}
ABNORMAL_TIMES = ["1e300", "-1e300", "NaN", "Infinity", "-Infinity", "1" + "0" * 5000, "253402300800", "-1"]


def an_attempt(**changes: Any) -> dict[str, Any]:
    """Return an attempt that is fine but for ``changes``."""
    return {
        "id": next(IDS),
        "package": "app",
        "kind": "install",
        "goal": "a-goal",
        "revision": "c0ffee",
        "started_at": NOW - 100,
        "to_version": "1.0.0",
        "ended_at": NOW - 90,
        "outcome": "failed",
        "message": "the installer returned 1603",
        "actions": [{"verb": "install", "command": "msiexec /i app.msi", "exit_code": 1603}],
        **changes,
    }


def a_report(*attempts: dict[str, Any], **observed: Any) -> dict[str, Any]:
    return {
        "observation": {**deepcopy(OBSERVATION), **observed},
        "attempts": list(attempts),
        "digest": f"of {next(IDS)}",
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("values")) as running:
        yield running


NAMES = (f"DEV-{number}" for number in itertools.count(100))


@pytest.fixture
def host(server: Server) -> ScriptedHost:
    return server.enrolled(next(NAMES))


def send(host: ScriptedHost, report: dict[str, Any] | bytes) -> Answer:
    return host.ask("POST", protocol.REPORT, report if isinstance(report, bytes) else json.dumps(report).encode())


def run(server: Server, *words: str) -> str:
    """Run a command on the installation, as a person does."""
    made = CliRunner().invoke(app, [*words, "--data", str(server.site.settings.data)], catch_exceptions=False)
    assert made.exit_code == 0, made.output
    return made.output


def every_page_works(server: Server, host: ScriptedHost) -> None:
    for form in ("text", "json"):
        for words in (["history", "--host", host.name], ["host", host.name], ["trace", host.name, "app"]):
            run(server, *words, "--format", form)
    for command in (["history"], ["status"], ["audit", "verify"]):
        run(server, *command)


def kept(server: Server, host: ScriptedHost) -> set[str]:
    return {record.attempt.id for record in server.site.attempts.newest(host=host.name, limit=10_000)}


def with_times(report: dict[str, Any]) -> bytes:
    """Return the body of a report in which ``@0`` and the like stand for the abnormal times."""
    body = json.dumps(report)
    for number, literal in enumerate(ABNORMAL_TIMES):
        body = body.replace(f'"@{number}"', literal)
    return body.encode()


@pytest.mark.parametrize("field", ["started_at", "ended_at"])
def test_an_abnormal_time_is_clamped_and_breaks_nothing(server: Server, host: ScriptedHost, field: str) -> None:
    odd = [an_attempt(**{field: f"@{number}"}) for number in range(len(ABNORMAL_TIMES))]
    fine = an_attempt()
    answer = send(host, with_times(a_report(*odd, fine)))
    assert answer.status == 200
    for number in range(len(ABNORMAL_TIMES)):
        assert any(note.startswith(f"attempts[{number}].{field}") for note in answer.json["notes"])
    assert kept(server, host) == {attempt["id"] for attempt in (*odd, fine)}
    for record in server.site.attempts.newest(host=host.name):
        assert 0 <= record.attempt.started_at <= (record.attempt.ended_at or 0) <= time.time()
    every_page_works(server, host)


def test_an_abnormal_time_in_an_observation_is_clamped(server: Server, host: ScriptedHost) -> None:
    tally = OBSERVATION["tallies"][0]  # type: ignore[index]
    for number in range(len(ABNORMAL_TIMES)):
        odd = {**tally, "last_ended_at": f"@{number}"}
        assert send(host, with_times(a_report(booted_at=f"@{number}", tallies=[odd]))).status == 200
        record = server.site.hosts.find(host.name)
        assert record is not None
        assert record.observation is not None
        assert 0 <= record.observation.booted_at <= time.time()
        assert 0 <= record.observation.tallies[0].last_ended_at <= time.time()
    every_page_works(server, host)


def test_text_that_is_not_unicode_or_too_long_is_kept_escaped_or_cut(server: Server, host: ScriptedHost) -> None:
    stored = {
        "lone \ud800 surrogate": "lone \\ud800 surrogate",
        "a\x00b": "a\\u0000b",
        "x" * 5000: "x" * 4096 + "…",
    }
    sent = {message: an_attempt(message=message) for message in stored}
    assert send(host, a_report(*sent.values())).status == 200
    found = {record.attempt.id: record.attempt.message for record in server.site.attempts.newest(host=host.name)}
    assert found == {sent[message]["id"]: kept for message, kept in stored.items()}
    every_page_works(server, host)


def test_bytes_that_are_not_utf_8_cost_only_themselves(server: Server, host: ScriptedHost) -> None:
    body = json.dumps(a_report(an_attempt(message="@"))).encode().replace(b"@", b"\xff")
    assert send(host, body).status == 200
    (record,) = server.site.attempts.newest(host=host.name)
    assert record.attempt.message == "\\udcff"


@pytest.mark.parametrize(
    "change",
    [
        {"id": "../../../etc/passwd"},
        {"id": 7},
        {"started_at": "yesterday"},
        {"started_at": True},
        {"started_at": None},
        {"outcome": "marvellous"},
        {"outcome": [[["deep"]]]},
        {"kind": {"a": 1}},
        {"package": "p" * 300},
        {"ended_at": None},
    ],
)
def test_an_attempt_that_cannot_be_read_is_left_out_alone(
    server: Server, host: ScriptedHost, change: dict[str, Any]
) -> None:
    fine = an_attempt()
    answer = send(host, a_report(an_attempt(**change), fine))
    assert answer.status == 200
    assert "attempts[0] was left out" in answer.json["notes"][0]
    assert kept(server, host) == {fine["id"]}


def test_numbers_beyond_their_bounds_are_clamped(server: Server, host: ScriptedHost) -> None:
    action = {"verb": "install", "command": "msiexec", "exit_code": 10**40}
    tally = {**OBSERVATION["tallies"][0], "failures": -5, "waits": 10**300}  # type: ignore[index]
    assert send(host, a_report(an_attempt(actions=[action]), tallies=[tally])).status == 200
    (record,) = server.site.attempts.newest(host=host.name)
    assert record.attempt.actions[0].exit_code == 2**32 - 1
    run(server, "host", host.name, "--format", "json")


def test_attempts_beyond_the_count_of_a_report_are_left_out(server: Server, host: ScriptedHost) -> None:
    attempts = [an_attempt() for _ in range(20_000)]
    answer = send(host, a_report(*attempts))
    assert answer.status == 200
    assert f"20000 items, {ATTEMPTS_OF_A_REPORT} at most" in answer.json["notes"][0]
    assert len(kept(server, host)) == ATTEMPTS_OF_A_REPORT


@pytest.mark.parametrize("name", ["products", "patches", "answers", "tallies", "reboot_pending"])
def test_items_beyond_the_count_of_a_list_are_left_out(server: Server, host: ScriptedHost, name: str) -> None:
    (item,) = OBSERVATION[name]  # type: ignore[misc]
    answer = send(host, a_report(**{name: [item] * 20_000}))
    assert answer.status == 200
    assert "20000 items" in answer.json["notes"][0]
    record = server.site.hosts.find(host.name)
    assert record is not None
    assert record.observation is not None
    assert 0 < len(getattr(record.observation, name)) <= 10_000


def test_an_observation_that_cannot_be_read_leaves_the_last_one_and_keeps_the_attempts(
    server: Server, host: ScriptedHost
) -> None:
    """An unreadable list of products must not be taken for no products."""
    assert send(host, a_report()).status == 204
    attempt = an_attempt()
    assert send(host, a_report(attempt, products=5)).status == 200
    assert kept(server, host) == {attempt["id"]}
    record = server.site.hosts.find(host.name)
    assert record is not None
    assert record.observation is not None
    assert [product.name for product in record.observation.products] == ["App"]


def test_a_body_nested_too_deep_is_refused(server: Server, host: ScriptedHost) -> None:
    depth = 100_000
    assert send(host, b"[" * depth + b"]" * depth).status == 400
    nested = '{"a":' * 900 + "1" + "}" * 900
    body = json.dumps(a_report(an_attempt(outcome="@"))).replace('"@"', nested).encode()
    assert send(host, body).status == 200


def test_an_abnormal_word_in_a_check_in_is_not_kept(server: Server) -> None:
    said = {"app": "app", "x" * 5000: None, "a\x00b": None, 7: None, ("app",): None, True: None}
    hosts = {server.enrolled(next(NAMES)): word for word in said}
    for host, busy in hosts.items():
        body = json.dumps({"report": 1e300, "assignment": ["?"], "busy": busy}).encode()
        assert host.ask("POST", protocol.CHECK_IN, body).status == 200
    names = {host.name: said[busy] for host, busy in hosts.items()}
    first = next(iter(names))
    eventually(lambda: (found := server.site.hosts.find(first)) is not None and found.busy == "app")
    assert {record.name: record.busy for record in server.site.hosts.all() if record.name in names} == names
    run(server, "status")


@pytest.mark.parametrize("field", ["host", "token", "key_sha256"])
@pytest.mark.parametrize("value", [7, None, "\ud800", "a\x00b", "x" * 100_000, ["x"], 10**40])
def test_an_abnormal_enrolment_is_refused(server: Server, field: str, value: object) -> None:
    stranger = ScriptedHost(server, "DEV-99")
    asked = {"host": "DEV-99", "token": "t" * 43, "key_sha256": "0" * 64, field: value}
    answer = stranger.ask("POST", protocol.ENROL, json.dumps(asked).encode())
    assert answer.status in (400, 403, 413)
    assert answer.json["error"]


def test_a_log_is_kept_as_text_and_its_end_only(server: Server, host: ScriptedHost) -> None:
    attempt = an_attempt()
    send(host, a_report(attempt))
    log = b"x" * (protocol.LONGEST_LOG + 5) + b"\xff\x00 end"
    assert host.ask("PUT", protocol.LOGS + attempt["id"], log).status == 204
    path = server.site.logs.find(attempt["id"])
    assert path is not None
    assert len(path.read_bytes()) <= protocol.LONGEST_LOG
    assert path.read_text("utf-8").endswith("\\xff\\u0000 end")


def test_a_host_that_sends_too_much_is_told_when_to_send_again(server: Server, host: ScriptedHost) -> None:
    attempts = [an_attempt() for _ in range(ATTEMPTS_OF_A_REPORT)]
    for number in range(5):
        answer = send(host, a_report(*attempts, system=f"Windows {number}"))
    assert answer.status == 429
    assert 0 < int(answer.headers["retry-after"]) <= ATTEMPTS_OF_A_REPORT
    assert server.enrolled(next(NAMES)).send(protocol.Report(Observation())).status == 204, "others are served"
    assert host.check_in().status == 200, "it is still told what it should have"


def test_a_host_that_reports_all_the_time_is_told_to_wait(server: Server, host: ScriptedHost) -> None:
    connection = server.connect()
    headers = {"Authorization": f"Bearer {host.name}:{host.key}"}
    statuses = []
    while 429 not in statuses and len(statuses) < 400:
        connection.request("POST", protocol.REPORT, json.dumps(a_report()).encode(), headers)
        response = connection.getresponse()
        response.read()
        statuses.append(response.status)
    connection.close()
    assert set(statuses) == {204, 429}


def test_rows_that_were_stored_before_they_were_checked_break_no_page(server: Server, host: ScriptedHost) -> None:
    import sqlite3

    send(host, a_report(an_attempt(), an_attempt(), an_attempt()))
    one, two, _ = sorted(kept(server, host))
    with sqlite3.connect(server.site.settings.data / "reconciler.sqlite") as raw:
        odd = json.dumps(an_attempt(id=one, started_at=1e300, ended_at=float("nan")))
        raw.execute("UPDATE attempts SET document = ?, started_at = 1e300 WHERE id = ?", (odd, one))
        raw.execute("UPDATE attempts SET document = '{' WHERE id = ?", (two,))
        observation = json.dumps({**OBSERVATION, "booted_at": 10**30, "products": [7, PRODUCT]})
        raw.execute("UPDATE hosts SET observation = ? WHERE name = ?", (observation, host.name))
    raw.close()
    every_page_works(server, host)
    assert len(kept(server, host)) == 2
    record = server.site.hosts.find(host.name)
    assert record is not None
    assert record.observation is not None
    assert len(record.observation.products) == 1
    assert read_stored(Observation, "[" * 100_000) is None


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**40, -(10**40), 2**63, 2**64])
    | st.floats()
    | st.text()
    | st.sampled_from(["\ud800", "\x00", "\x1b[2J", "x" * 20_000, "\u202e"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def places(part: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value within a report."""
    items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


PLACES = sorted(places(a_report(an_attempt())), key=repr)


def test_any_value_in_any_field_costs_at_most_its_item(server: Server) -> None:
    hosts: list[ScriptedHost] = []

    @settings(max_examples=100, deadline=None)
    @given(place=st.sampled_from(PLACES), value=values)
    def check(place: tuple[Any, ...], value: Any) -> None:
        if not hosts or next(used) % 50 == 0:  # no host may send hundreds of reports at once
            hosts.append(server.enrolled(next(NAMES)))
        report = a_report(an_attempt(), witness := an_attempt())
        put(report, place, value)
        answer = send(hosts[-1], report)
        assert answer.status < 500, answer.body
        if place != ("attempts",):
            assert witness["id"] in kept(server, hosts[-1]), (answer.status, answer.body)
        if place[0] == "attempts":
            record = server.site.hosts.find(hosts[-1].name)
            assert record is not None
            assert record.report_digest == report["digest"], "the observation is kept"
        assert hosts[-1].check_in().status == 200

    used = itertools.count(1)
    check()
    for host in hosts:
        every_page_works(server, host)


def put(report: dict[str, Any], place: tuple[Any, ...], value: Any) -> None:
    *way, last = place
    part: Any = report
    for key in way:
        part = part[key]
    part[last] = value


# Hosts that are kept by WinRM

REGISTRY = Probe(ProbeKind.REGISTRY, "HKLM\\SOFTWARE\\Contoso", "Level")
PARTS = [
    "accounts",
    "codes",
    "families",
    "reboots",
    "updates",
    "renames",
    "room",
    "system",
    "boot",
    "end",
    "value",
]
answered_lines = st.sampled_from(
    [
        *(f"==={part}" for part in PARTS),
        "===probe 0",
        "===probe " + "9" * 5000,
        "===asked",
        "    Level    REG_DWORD    0x" + "f" * 5000,
        "End of search: " + "9" * 5000 + " match(es) found.",
        "0 Dir(s) " + "9" * 5000 + " bytes free",
        "SystemTime='0001-01-01T00:00:00.0Z'",
        "\x00\ud800",
    ]
)


@given(lines=st.lists(answered_lines | st.text(), max_size=30))
def test_whatever_a_host_answers_over_winrm_is_read_or_refused(lines: list[str]) -> None:
    text = "\r\n".join(lines)
    with suppress(InventoryIncomplete):
        look = read_inventory(text, "PROD-07").look
        assert look.booted_at >= 0
        assert (look.free_bytes or 0) < 10**18
    (answer,) = Questions([REGISTRY]).answers(text)
    assert len(answer.text) <= len(text) + 10


@pytest.mark.parametrize("text", ["9" * 5000, "1e300", "", "0x10", "\u0661", "--1", " "])
def test_what_is_no_number_of_windows_is_none(text: str) -> None:
    assert whole_number(text) is None


def test_a_report_over_winrm_is_checked_like_any_other(server: Server, host: ScriptedHost) -> None:
    """The server makes the report itself, from what the host answered."""
    record = server.site.hosts.find(host.name)
    assert record is not None
    member = Roster([record]).find(host.name)
    assert member is not None
    odd = Observation(system="\x00", booted_at=10**30)
    Reports(server.site.hosts, server.site.attempts).keep(
        member, screen_report(encode(protocol.Report(odd)), NOW), NOW
    )
    kept_record = server.site.hosts.find(host.name)
    assert kept_record is not None
    assert kept_record.observation == Observation(system="\\u0000", booted_at=int(NOW))
