"""Daemons with settings of the test's choice, raw clients that attack them, and people with accounts."""

from __future__ import annotations

import gc
import socket
import ssl
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from reconciler.settings import Settings
from reconciler.site import open_site
from reconciler.testing.daemon_process import DaemonProcess
from reconciler.testing.waiting import eventually
from tests.daemon.conftest import FILES, Server
from tests.system.review.conftest import server

__all__ = ["server"]

StartServer = Callable[..., Server]


@contextmanager
def running(
    folder: Path, open_files: int | None, settings: dict[str, str], data: Path | None = None
) -> Iterator[Server]:
    """Run a daemon on the sample fleet.

    Args:
        folder: where everything of it is.
        open_files: how many files it may have open.
        settings: by their names.
        data: its data folder, where that is to be elsewhere.
    """
    where, repository = data or folder / "data", folder / "fleet.git"
    with open_site(Settings(data=where, repository=str(repository))) as site:
        server = Server(folder, site)
        server.process = DaemonProcess(where, repository, {"silent_seconds": "300", **settings}, open_files)
        server.process.log = folder / "daemon.log"  # not on the disk that a test fills
        server.workspace.publish(FILES, "first")
        server.start()
        try:
            eventually(site.revisions.in_force)
            yield server
        finally:
            server.process.kill()


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Start one daemon for the test; settings by their names."""
    with ExitStack() as stack:

        def start(open_files: int | None = None, data: Path | None = None, **settings: str) -> Server:
            return stack.enter_context(running(tmp_path, open_files, settings, data))

        yield start


class Clients:
    """Raw connections to a daemon. All are closed at the end of the test."""

    def __init__(self, process: DaemonProcess) -> None:
        self._port = int(process.url.rsplit(":", 1)[1])
        self._trust = ssl.create_default_context(cafile=str(process.data / "tls" / "ca.pem"))
        self._open: list[socket.socket] = []

    def tcp(self, source: str = "127.0.0.1") -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self._port), 30, (source, 0))
        self._open.append(connection)
        return connection

    def tls(self, source: str = "127.0.0.1") -> ssl.SSLSocket:
        connection = self.tcp(source)
        wrapped = self._trust.wrap_socket(connection, server_hostname="localhost", do_handshake_on_connect=False)
        self._open.append(wrapped)
        wrapped.do_handshake()
        return wrapped

    def close(self) -> None:
        for connection in self._open:
            with suppress(OSError):
                connection.close()


ClientsOf = Callable[[DaemonProcess], Clients]


@pytest.fixture
def clients_of() -> Iterator[ClientsOf]:
    made: list[Clients] = []

    def make(process: DaemonProcess) -> Clients:
        made.append(Clients(process))
        return made[-1]

    yield make
    for clients in made:
        clients.close()
    with warnings.catch_warnings():  # where the server was faster, ssl loses a socket that nobody can close
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def is_closed(connection: socket.socket) -> bool:
    """Whether the server has ended a connection. Does not wait for it."""
    connection.setblocking(False)
    try:
        return connection.recv(65536) == b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    finally:
        with suppress(OSError):
            connection.settimeout(30)


def head(method: str, path: str, length: int | None = None, *more: str) -> bytes:
    """The head of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *more]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def resident_bytes(pid: int) -> int:
    """The memory that a process has in use."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096
