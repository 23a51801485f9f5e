"""Files on a host that is reached by WinRM: fetched by the host itself, and hashed there before any use."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.agent.machine import ArtifactRefused, ArtifactUnavailable, MachineError
from reconciler.hosts.tickets import TICKET_SECONDS, Tickets
from reconciler.hosts.winrm.commands import Commands
from reconciler.hosts.winrm.connection import Connection
from reconciler.hosts.winrm.files import FileServer, WinRMFiles
from reconciler.kernel.artifact import Artifact
from reconciler.store.database import Database
from reconciler.store.tickets import TicketStore
from tests.hosts.winrm.conftest import Service, done

RIGHT, WRONG = "a" * 64, "b" * 64
ARTIFACT = Artifact(RIGHT, 5, "app 1.msi")
ROOT = r"C:\Program Files\Reconciler Push"
KEPT = rf"{ROOT}\artifacts\{RIGHT}\app 1.msi"


def said(sha256: str, code: int = 0) -> bytes:
    return f"===code {code} \r\nSHA256 hash of x:\r\n{sha256}\r\nCertUtil: done.\r\n".encode()


@pytest.fixture
def tickets(tmp_path: Path) -> Iterator[Tickets]:
    database = Database(tmp_path / "store.sqlite")
    yield Tickets(TicketStore(database))
    database.close()


@pytest.fixture
def files(service: Service, connection: Connection, tickets: Tickets, tmp_path: Path) -> WinRMFiles:
    authority = tmp_path / "ca.pem"
    authority.write_text("-----BEGIN CERTIFICATE-----\n")
    service.play("Receive", done(b"C:\\Program Files\r\n"))
    return WinRMFiles(
        Commands("PROD-07", connection), FileServer(lambda: "https://server:8443", authority, tickets)
    )


def commands_of(service: Service) -> list[str]:
    return [request.message for request in service.requests if request.action == "Command"]


def test_a_file_that_is_there_and_right_is_not_fetched(service: Service, files: WinRMFiles) -> None:
    service.play("Receive", done(said(RIGHT)))
    assert files.fetch(ARTIFACT) == KEPT
    assert not any("curl" in command for command in commands_of(service))


def test_a_file_is_fetched_with_a_ticket_that_ends_when_it_is_there(
    service: Service, files: WinRMFiles, tickets: Tickets, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued: list[str] = []
    issue = Tickets.issue

    def note(self: Tickets, sha256: str, now: float) -> str:
        issued.append(issue(self, sha256, now))
        return issued[-1]

    monkeypatch.setattr(Tickets, "issue", note)
    service.play("Receive", done(b"no such file"), done(), done(said(RIGHT)), done(b"===part"))
    assert files.fetch(ARTIFACT) == KEPT
    (fetching,) = [command for command in commands_of(service) if "curl" in command]
    assert f"https://server:8443/push/v1/files/{issued[0]}/app%201.msi" in fetching
    assert f"--cacert &quot;{ROOT}\\ca.pem&quot;" in fetching or f'--cacert "{ROOT}\\ca.pem"' in fetching
    assert tickets.redeem(issued[0], time.time()) is None


def test_a_file_that_is_another_is_refused_and_deleted(service: Service, files: WinRMFiles) -> None:
    service.play("Receive", done(b"no such file"), done(), done(said(WRONG)))
    with pytest.raises(ArtifactRefused, match=WRONG):
        files.fetch(ARTIFACT)
    last = commands_of(service)[-1]
    assert "del /f /q" in last
    assert not any("move " in command for command in commands_of(service))


def test_a_part_from_before_that_makes_it_wrong_is_fetched_afresh(service: Service, files: WinRMFiles) -> None:
    there = b"no such file\r\n===part"
    service.play("Receive", done(there), done(), done(said(WRONG)), done(), done(said(RIGHT)), done(b"===part"))
    assert files.fetch(ARTIFACT) == KEPT


def test_a_host_that_cannot_reach_the_server_says_so(service: Service, files: WinRMFiles) -> None:
    service.play("Receive", done(b"no such file"), done(), *[done(b"===code 7 \r\n")] * 3)
    with pytest.raises(ArtifactUnavailable) as unavailable:
        files.fetch(ARTIFACT)
    assert "cannot connect to this server" in str(unavailable.value)
    assert "RECONCILER_SERVER_NAMES" in str(unavailable.value)


@pytest.mark.parametrize("name", ["100%.msi", r"..\x.msi", 'a".msi', "x.msi ", "a\n.msi"])
def test_a_name_that_means_something_to_cmd_is_refused(service: Service, files: WinRMFiles, name: str) -> None:
    with pytest.raises(ArtifactRefused):
        files.fetch(Artifact(RIGHT, 5, name))
    assert service.requests == []


SIGNED = replace(ARTIFACT, signer="CN=Contoso, Ltd")
SUBJECT = base64.b64encode(b"CN=Contoso, Ltd\r\nO=Contoso\r\nC=FI").decode()


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (f"===status 0\r\n===subject {SUBJECT}\r\n", ""),
        (f"===status 3\r\n===subject {SUBJECT}\r\n", "changed after it was signed"),
        ("===status 2\r\n", "not signed"),
        (f"===status 0\r\n===subject {SUBJECT[:12]}\r\n", "signed by"),
    ],
)
def test_a_signer_that_is_pinned_is_held_against_what_the_host_says(
    service: Service, files: WinRMFiles, told: str, why: str
) -> None:
    service.play("Receive", done(said(RIGHT)), done(told.encode()))
    if not why:
        assert files.fetch(SIGNED) == KEPT
        return
    with pytest.raises(ArtifactRefused, match=why):
        files.fetch(SIGNED)


def test_a_host_that_cannot_tell_who_signed_a_file_does_not_run_it(service: Service, files: WinRMFiles) -> None:
    service.play("Receive", done(said(RIGHT)), done(b""))
    with pytest.raises(MachineError, match="who signed"):
        files.fetch(SIGNED)


def test_a_ticket_is_good_for_one_file_and_for_a_while(tickets: Tickets) -> None:
    ticket = tickets.issue(RIGHT, 100.0)
    assert tickets.redeem(ticket, 100.0 + TICKET_SECONDS - 1) == RIGHT
    assert tickets.redeem(ticket, 100.0 + TICKET_SECONDS) is None
    assert tickets.redeem("made up", 100.0) is None
    tickets.issue(WRONG, 100.0 + TICKET_SECONDS)
    assert tickets.redeem(ticket, 100.0) is None, "what is over is forgotten"
