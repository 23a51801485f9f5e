"""The agent goes through an HTTP proxy where it is told to, and its key never does in clear text."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress

import pytest

from reconciler.agent.connection import Connection, ServerUnavailable
from reconciler.agent.settings import SETTINGS_NAME, load_settings


class ConnectProxy:
    """An HTTP proxy that knows CONNECT only, for one test."""

    def __init__(self, demands: str | None = None) -> None:
        self.demands = demands
        self.heads: list[str] = []
        self.passed = bytearray()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self._serving = threading.Thread(target=self._serve, daemon=True)
        self._serving.start()

    def close(self) -> None:
        # Closed under a thread that waits on it, its number could come to be another listener's.
        self.listener.shutdown(socket.SHUT_RDWR)
        self._serving.join()
        self.listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += client.recv(1)
            self.heads.append(head.decode())
            if self.demands is not None and self.demands not in self.heads[-1]:
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
                return
            name, _, port = head.split()[1].decode().partition(":")
            with socket.create_connection((name, int(port))) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=self._copy, args=(server, client), daemon=True)
                back.start()
                self._copy(client, server, self.passed)
                back.join(5)

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket, seen: bytearray | None = None) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if seen is not None:
                    seen += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy():
    proxy = ConnectProxy()
    yield proxy
    proxy.close()


def test_an_agent_works_through_a_proxy_and_its_key_is_not_seen_there(
    proxy, tls_server, certificates, data, start, catalog
):
    server = tls_server
    (data / SETTINGS_NAME).write_text(
        json.dumps(
            {
                "server": server.url,
                "host": "HOST7",
                "token": "token",
                "ca": str(certificates / "ours.pem"),
                "pollSeconds": 0.1,
                "proxy": proxy.url,
            }
        )
    )
    release = catalog.release("1.0.0", 1)
    server.artifacts.update(catalog.artifacts)
    server.assign(catalog.assignment(release))
    start()
    server.wait_for(lambda s: s.attempts())
    assert len(proxy.heads) >= 2
    assert all(head.startswith(f"CONNECT 127.0.0.1:{server.port} ") for head in proxy.heads)
    assert b"Bearer" not in proxy.passed
    assert b"token" not in proxy.passed


def test_a_proxy_that_wants_a_password_gets_it(tls_server, certificates):
    proxy = ConnectProxy(demands="Proxy-Authorization: Basic dXNlcjphIGI=")
    named = tls_server.url
    with_password = proxy.url.replace("http://", "http://user:a%20b@")
    with Connection(named, certificates / "ours.pem", with_password).request("GET", "/", {}) as response:
        assert response.status == 401
    with (
        pytest.raises(ServerUnavailable, match="407"),
        Connection(named, certificates / "ours.pem", proxy.url).request("GET", "/", {}),
    ):
        pass
    proxy.close()


def test_a_proxy_that_is_away_is_told(tls_server, certificates):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with (
        pytest.raises(ServerUnavailable),
        Connection(tls_server.url, certificates / "ours.pem", f"http://127.0.0.1:{port}").request("GET", "/", {}),
    ):
        pass


@pytest.mark.parametrize(
    ("no_proxy", "direct"),
    [
        ([], False),
        (["other.example.com"], False),
        (["server.example.com"], True),
        ([".example.com"], True),
        (["example.com"], True),
        (["ample.com"], False),
        (["*"], True),
        (["SERVER.example.com"], True),
    ],
)
def test_exceptions_go_direct(tmp_path, no_proxy, direct):
    settings = {
        "server": "https://server.example.com",
        "host": "H",
        "proxy": "http://proxy:3128",
        "noProxy": no_proxy,
    }
    (tmp_path / SETTINGS_NAME).write_text(json.dumps(settings))
    assert (load_settings(tmp_path).proxy is None) is direct
