"""A download server on this machine, and the grants by which artifacts may come from it."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

from reconciler.grants.model import Grants

GRANTED = Grants(source_networks=(ipaddress.ip_network("127.0.0.0/8"),))


class _Handler(SimpleHTTPRequestHandler):
    """Serves every file by its full path."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given, directory="/")  # type: ignore[arg-type]

    def log_message(self, *_: object) -> None:
        pass


_SERVERS: list[ThreadingHTTPServer] = []


@contextmanager
def serving() -> Iterator[None]:
    """Run the server as long as the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    _SERVERS.append(server)
    yield
    _SERVERS.remove(server)
    server.shutdown()
    server.server_close()
    thread.join()


def address_of(file: Path) -> str:
    """Return the address of a file at the server."""
    return f"http://127.0.0.1:{_SERVERS[-1].server_address[1]}{quote(str(file.absolute()))}"
