"""Clients that have not authenticated are bounded in number, time and memory, and never keep hosts out."""

from __future__ import annotations

import http.client
import resource
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from reconciler.daemon.connections.book import MOST_PER_IDENTITY, Caps, Connections, Ended, Entry
from reconciler.daemon.connections.doorkeeper import Doorkeeper
from reconciler.daemon.connections.open_files import OpenFiles
from reconciler.daemon.connections.protocol import BoundedProtocol
from reconciler.kernel import protocol
from reconciler.settings import Settings
from reconciler.store.hosts import Enrolment, EnrolmentToken
from reconciler.testing.waiting import eventually
from tests.daemon.conftest import Server
from tests.security.conftest import Clients, ClientsOf, StartServer, head, is_closed, running

SHORT = {"handshake_seconds": "1", "head_seconds": "1", "body_seconds": "1"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("short"), None, SHORT) as started:
        yield started


@pytest.fixture
def clients(server: Server, clients_of: ClientsOf) -> Clients:
    return clients_of(server.process)


def trickle(connection: socket.socket, content: bytes) -> bool:
    """Send a byte at a time until the server ends the connection; return whether it did."""
    stop = threading.Event()
    for byte in content:
        try:
            connection.sendall(bytes([byte]))
        except OSError:
            return True
        if is_closed(connection):
            return True
        stop.wait(0.1)
    return False


def test_a_client_that_never_shakes_hands_is_disconnected(clients: Clients) -> None:
    silent = clients.tcp()
    assert eventually(lambda: is_closed(silent), 20)


def test_a_client_that_shakes_hands_byte_by_byte_is_disconnected(clients: Clients) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    assert trickle(clients.tcp(), outgoing.read())


def test_a_client_that_sends_no_request_is_disconnected(clients: Clients) -> None:
    idle = clients.tls()
    assert eventually(lambda: is_closed(idle), 20)


@pytest.mark.parametrize("line", ["CONNECT a:1", "GET http://a:99999999/", "GET http://"])
def test_requests_for_no_address_never_end_the_daemon(server: Server, clients: Clients, line: str) -> None:
    """The sweep for overdue connections met some of them before they were gone, and ended everything."""
    for _ in range(8):
        prepared = [clients.tls() for _ in range(30)]
        for connection in prepared:
            with suppress(OSError):
                connection.sendall(f"{line} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        for connection in prepared:
            connection.close()
    assert server.enrolled(f"AFTER-{len(line)}").check_in().status == 200


def test_a_fault_in_one_connection_ends_no_other() -> None:
    ended = []

    class Faulty(BoundedProtocol):
        def __init__(self) -> None:
            pass

        def overdue(self, now: float) -> Ended | None:
            raise AttributeError("response_complete")

        def abort(self) -> None:
            ended.append(self)

    faulty = Faulty()
    Doorkeeper._end_overdue(faulty, 0.0)
    assert ended == [faulty]


def test_a_head_that_comes_byte_by_byte_is_cut_off(clients: Clients) -> None:
    assert trickle(clients.tls(), head("GET", "/", None, f"X-Padding: {'x' * 400}"))


def test_a_body_that_comes_byte_by_byte_is_cut_off(clients: Clients) -> None:
    connection = clients.tls()
    connection.sendall(head("POST", protocol.ENROL, 4000))
    assert trickle(connection, b" " * 400)


def test_a_body_that_stops_coming_is_cut_off(clients: Clients) -> None:
    connection = clients.tls()
    connection.sendall(head("POST", protocol.ENROL, 4000) + b"{")
    assert eventually(lambda: is_closed(connection), 20)


def test_a_head_without_end_is_cut_off(clients: Clients) -> None:
    connection = clients.tls()
    connection.sendall(b"GET / HTTP/1.1\r\n")
    sent = 0
    with suppress(OSError):
        for sent in range(200):  # noqa: B007
            connection.sendall(b"X-Padding: " + b"x" * 65536 + b"\r\n")
    assert sent < 199


def test_trailers_without_end_are_cut_off_and_are_no_headers(server: Server, clients: Clients) -> None:
    host = server.enrolled("DEV-06")
    connection = clients.tls()
    connection.sendall(head("POST", protocol.CHECK_IN, None, "Transfer-Encoding: chunked") + b"0\r\n")
    connection.sendall(f"Authorization: Bearer {host.name}:{host.key}\r\n\r\n".encode())
    assert connection.recv(4096).startswith(b"HTTP/1.1 401 ")


def test_requests_without_end_on_one_connection_are_cut_off(clients: Clients) -> None:
    connection = clients.tls()
    with suppress(OSError):
        connection.sendall(head("GET", "/") * 4000)
    answers = b""
    with suppress(OSError):
        while received := connection.recv(65536):
            answers += received
    assert answers.count(b"HTTP/1.1 404 ") < 100


def status(connection: socket.socket) -> int:
    """Read one answer, and return its status."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    answer.read()
    return answer.status


def test_a_host_stays_connected_where_a_stranger_does_not(server: Server, clients: Clients) -> None:
    host = server.enrolled("DEV-07")
    connection, stranger = clients.tls(), clients.tls()
    body = b'{"report": "new", "assignment": ""}'
    asked = head("POST", protocol.CHECK_IN, len(body), f"Authorization: Bearer {host.name}:{host.key}") + body
    connection.sendall(asked)
    assert status(connection) == 200
    stranger.sendall(head("POST", protocol.CHECK_IN, len(body), "Authorization: Bearer DEV-07:wrong") + body)
    assert status(stranger) == 401
    assert eventually(lambda: is_closed(stranger), 20)
    connection.sendall(asked)
    assert status(connection) == 200


def test_hosts_get_in_while_strangers_hold_all_the_connections_they_can_get(
    start_server: StartServer, clients_of: ClientsOf
) -> None:
    """More idle connections than the daemon may have files: some before, and some after the handshake."""
    server = start_server(open_files=128)
    clients = clients_of(server.process)
    host = server.enrolled("DEV-07")
    held: list[socket.socket] = []
    for number in range(240):
        with suppress(OSError):  # the server ends older ones for it
            held.append(clients.tls() if number % 2 else clients.tcp())
    assert len(held) > 128
    assert eventually(lambda: host.check_in().status in (200, 204), 30)
    files = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
    assert files < 128
    assert server.enrolled("DEV-08").check_in().status in (200, 204)


def test_one_address_ends_only_its_own_connections(start_server: StartServer, clients_of: ClientsOf) -> None:
    server = start_server(unauthenticated_connections="40", unauthenticated_per_address="8")
    clients = clients_of(server.process)
    other = clients.tls("127.0.0.2")
    flood = [clients.tcp("127.0.0.3") for _ in range(60)]
    assert eventually(lambda: sum(map(is_closed, flood)) >= 50, 20)
    assert not is_closed(other)
    other.sendall(head("GET", "/"))
    assert other.recv(4096).startswith(b"HTTP/1.1 404 ")


def test_the_limit_on_open_files_is_raised_and_held_against_the_fleet(start_server: StartServer) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, hard), hard))  # the daemon starts with what this has
    try:
        server = start_server()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    raised, _ = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    assert raised == hard
    settings = Settings(data=Path("x"))
    assert OpenFiles(20_000).shortfall(settings, 10_000) == ""
    told = OpenFiles(1024).shortfall(settings, 2_000)
    assert "2000 hosts" in told
    assert "LimitNOFILE=" in told
    caps = OpenFiles(1024).caps(settings)
    assert caps.unauthenticated <= caps.total / 2


def test_a_fleet_too_large_for_the_limit_is_reported_at_the_start(start_server: StartServer) -> None:
    server = start_server(open_files=96)
    server.process.stop()
    for number in range(40):
        server.site.hosts.add_token(EnrolmentToken(f"{number:064}", "dev", 1e12, None, None), 0.0)
        token = server.site.hosts.find_token(f"{number:064}")
        assert token is not None
        server.site.hosts.enrol(Enrolment(f"DEV-{number}", "0" * 64, "127.0.0.1"), token, 0.0)
    server.start()
    assert "too few open files for the fleet" in server.process.log.read_text()


class Ends:
    def __init__(self) -> None:
        self.names: list[str] = []

    def of(self, name: str) -> Callable[[], None]:
        return lambda: self.names.append(name)


def admit(book: Connections, ends: Ends, name: str, address: str = "a") -> Entry:
    return book.admit(address, ends.of(name))


def test_the_oldest_stranger_ends_first_and_a_host_only_where_there_is_no_stranger() -> None:
    book, ends = Connections(Caps(4, 2, 2)), Ends()
    host = admit(book, ends, "host")
    host.vouch("host A")
    for name in ("one", "two", "three"):
        admit(book, ends, name, name)
    assert ends.names == ["one"]
    full, ends = Connections(Caps(2, 2, 2)), Ends()
    for name in ("first", "second"):
        admit(full, ends, name).vouch(f"host {name}")
    admit(full, ends, "new")
    assert ends.names == ["first"]
    assert len(full) == 2


def test_one_host_holds_only_so_many_connections() -> None:
    book, ends = Connections(Caps(1000, 1000, 1000)), Ends()
    for number in range(MOST_PER_IDENTITY + 5):
        admit(book, ends, f"{number}").vouch("host A")
    admit(book, ends, "other").vouch("host B")
    assert ends.names == ["0", "1", "2", "3", "4"]


def test_connections_that_end_are_forgotten() -> None:
    book, ends = Connections(Caps(10, 10, 10)), Ends()
    entries = [admit(book, ends, f"{number}") for number in range(6)]
    for entry in entries[:3]:
        entry.vouch("host A")
    for entry in entries:
        entry.gone()
        entry.gone()
        entry.vouch("host B")
    assert (len(book), book.unauthenticated, ends.names) == (0, 0, [])
    assert (book._by_address, book._by_identity) == ({}, {})
