"""What a request's body may be: bounded before anybody is known, and held back from the hosts that wait."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import orjson
import pytest
from starlette.requests import Request

from reconciler.hosts import parsing
from reconciler.hosts.bodies import BodyBudget, Messages, TooBusy, TooLarge
from reconciler.kernel import protocol
from reconciler.kernel.observation import Observation
from reconciler.kernel.wire import WireError, decode
from reconciler.testing.waiting import eventually
from tests.daemon.conftest import Server
from tests.security.conftest import Clients, ClientsOf, head, is_closed, resident_bytes, running

MEGABYTE = 1024 * 1024
WEBHOOK = {
    "forge": "github",
    "forge_url": "http://127.0.0.1:9",
    "forge_project": "a/b",
    "forge_token": "env:HOME",
    "webhook_secret": "env:HOME",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("bodies"), None, {"body_seconds": "2", **WEBHOOK}) as started:
        yield started


@pytest.fixture
def clients(server: Server, clients_of: ClientsOf) -> Clients:
    return clients_of(server.process)


def test_an_enrolment_has_8_kib_at_most(clients: Clients) -> None:
    stated = clients.tls()
    stated.sendall(head("POST", protocol.ENROL, 8193))
    assert stated.recv(4096).startswith(b"HTTP/1.1 413 "), "refused before anything of it is sent"
    unstated = clients.tls()
    unstated.sendall(head("POST", protocol.ENROL, None, "Transfer-Encoding: chunked"))
    with suppress(OSError):
        for _ in range(10):
            unstated.sendall(b"400\r\n" + b" " * 1024 + b"\r\n")
    assert unstated.recv(4096).startswith(b"HTTP/1.1 413 ")


PATHS = [protocol.ENROL, protocol.REPORT, protocol.CHECK_IN, "/webhooks/github", "/other"]


@pytest.mark.parametrize("path", PATHS)
def test_stalled_requests_of_strangers_take_hardly_any_memory(server: Server, clients: Clients, path: str) -> None:
    """Each sends nearly all of a large body and then waits. 30 of them used to take 500 MB."""
    before = resident_bytes(server.process.pid)
    connections = [clients.tls() for _ in range(30)]
    for connection in connections:
        with suppress(OSError):
            connection.sendall(head("POST", path, 4 * MEGABYTE))
            for _ in range(63):
                connection.sendall(b" " * 65536)
    assert resident_bytes(server.process.pid) - before < 60 * MEGABYTE
    assert eventually(lambda: all(map(is_closed, connections)), 30)
    assert server.enrolled(f"DEV-{PATHS.index(path)}").check_in().status == 200


def test_a_body_that_was_refused_is_not_read_to_its_end(clients: Clients) -> None:
    connection = clients.tls()
    connection.sendall(head("POST", protocol.REPORT, 1024 * MEGABYTE))
    assert connection.recv(4096).startswith(b"HTTP/1.1 401 ")
    sent = []
    with suppress(OSError):
        for _ in range(64):
            connection.sendall(b" " * MEGABYTE)
            sent.append(MEGABYTE)
    assert len(sent) < 64


def test_large_reports_are_taken_and_deeply_nested_ones_refused(server: Server) -> None:
    host = server.enrolled("DEV-90")
    assert host.send(protocol.Report(Observation(system="Windows"))).status == 204
    assert host.ask("POST", protocol.REPORT, b"[" * 100_000).status == 400
    assert host.ask("POST", protocol.REPORT, b"[" + b"[]," * 500_000 + b"[]]").status == 413
    assert host.check_in().status in (200, 204)


class Body:
    """A request's body, sent piece by piece when the test says so."""

    def __init__(self, *pieces: bytes, headers: dict[str, str] | None = None) -> None:
        self._pieces = list(pieces)
        self.go_on = asyncio.Event()
        sent = [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()]
        scope = {"type": "http", "method": "POST", "path": "/x", "query_string": b"", "headers": sent}
        self.request = Request(scope | {"server": ("localhost", 1)}, self._receive)

    async def _receive(self) -> dict[str, Any]:
        if len(self._pieces) == 1:
            await self.go_on.wait()
        return {"type": "http.request", "body": self._pieces.pop(0), "more_body": bool(self._pieces)}


async def read(budget: BodyBudget, body: Body, sender: str) -> bytes:
    async with budget.read(body.request, 100, sender) as content:
        return content


async def test_the_bodies_of_all_together_are_bounded_and_one_sender_has_a_share() -> None:
    budget = BodyBudget(most=150, most_of_one=90)
    stalled = Body(b"x" * 60, b"x" * 10)
    waiting = asyncio.create_task(read(budget, stalled, "a"))
    await asyncio.sleep(0)
    ready = Body(b"x" * 60)
    ready.go_on.set()
    with pytest.raises(TooBusy):
        await read(budget, ready, "a")
    others = [Body(b"x" * 60, b"x"), Body(b"x" * 60, b"x")]
    held = asyncio.create_task(read(budget, others[0], "b"))
    await asyncio.sleep(0)
    with pytest.raises(TooBusy):
        await read(budget, others[1], "c")
    for body in (stalled, others[0]):
        body.go_on.set()
    assert (len(await waiting), len(await held)) == (70, 61)
    after = Body(b"x" * 90)
    after.go_on.set()
    assert len(await read(budget, after, "a")) == 90, "what was held is free again"


async def test_a_body_too_long_is_refused_and_its_share_given_back() -> None:
    budget = BodyBudget(most=150, most_of_one=150)
    for body in (Body(b"x" * 101), Body(b"", headers={"Content-Length": "101"}), Body(b"x" * 60, b"x" * 60)):
        body.go_on.set()
        with pytest.raises(TooLarge):
            await read(budget, body, "a")
    assert (budget._held, dict(budget._of)) == (0, {})


async def test_a_large_message_is_parsed_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    where: list[str] = []
    real = orjson.loads

    def noting(content: bytes) -> Any:
        where.append(threading.current_thread().name)
        return real(content)

    monkeypatch.setattr(parsing.orjson, "loads", noting)
    messages = Messages()
    for padding in (10, 200_000):
        content = json.dumps({"observation": {"system": "x" * padding}}).encode()
        body = Body(content)
        body.go_on.set()
        report = await messages.read(partial(decode, protocol.Report), body.request, 10 * MEGABYTE, "host")
        assert len(report.observation.system) == padding
    assert where[0] == threading.main_thread().name
    assert where[1].startswith("parse")
    bad = Body(b"{" * 200_000)
    bad.go_on.set()
    with pytest.raises(WireError):
        await messages.read(partial(decode, protocol.Report), bad.request, 10 * MEGABYTE, "host")


async def test_the_event_loop_runs_while_a_large_message_is_parsed() -> None:
    item = {"kind": "x", "name": "y" * 20}
    content = json.dumps({"observation": {"system": "z"}, "new": [item] * 60_000}).encode()
    body = Body(content)
    body.go_on.set()
    threads = set()

    def understand(document: object) -> protocol.Report:
        threads.add(threading.get_ident())
        return decode(protocol.Report, document)

    report = await Messages().read(understand, body.request, 16 * MEGABYTE, "host")
    assert report.observation.system == "z"
    assert threads.isdisjoint({threading.get_ident()})
    assert len(threads) == 1
