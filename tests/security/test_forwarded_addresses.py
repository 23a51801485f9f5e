"""A client's address is that of its connection, unless the operator has named a proxy that says otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from reconciler.settings import Settings
from reconciler.testing.daemon_process import DaemonProcess
from tests.security.conftest import ClientsOf, head
from tests.system.review.conftest import HostedServer

FORGED = ("X-Forwarded-For: 203.0.113.9, 198.51.100.7", "X-Forwarded-Proto: http")
Start = Callable[[dict[str, str]], HostedServer]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def start(settings: dict[str, str]) -> HostedServer:
            server = HostedServer(tmp_path)
            server.daemon = DaemonProcess(server.data, "", {"host_repository": "true", **settings})
            server.daemon.start()
            stack.callback(server.daemon.kill)
            return server

        yield start


def recorded(server: HostedServer, clients_of: ClientsOf, source: str, *headers: str) -> str:
    """Fail to sign in with forged headers, and return which address the audit log then names."""
    connection = clients_of(server.daemon).tls(source)
    connection.sendall(head("GET", "/api/changes", None, "Authorization: Basic YW5uOmd1ZXNz", *headers))
    assert connection.recv(4096).startswith(b"HTTP/1.1 401 ")
    assert server.daemon.stop() == 0  # it records what it has gathered
    (address,) = server.audit("signInsRefused")[-1]["addresses"]
    return str(address)


def test_what_a_client_says_of_its_address_counts_for_nothing(start: Start, clients_of: ClientsOf) -> None:
    """Not even from this machine, where any user may connect."""
    server = start({})
    assert recorded(server, clients_of, "127.0.0.1", *FORGED) == "127.0.0.1"


def test_a_trusted_proxy_names_the_client_and_others_do_not(start: Start, clients_of: ClientsOf) -> None:
    """Whatever comes before the address that the proxy added is the client's own invention."""
    server = start({"trusted_proxies": '["127.0.0.8/30"]'})
    assert recorded(server, clients_of, "127.0.0.9", *FORGED) == "198.51.100.7"
    server.daemon.start()
    assert recorded(server, clients_of, "127.0.0.2", *FORGED) == "127.0.0.2"


def test_a_proxy_is_named_by_its_network(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="trusted_proxies"):
        Settings(data=tmp_path, trusted_proxies=("*",))  # type: ignore[arg-type]
