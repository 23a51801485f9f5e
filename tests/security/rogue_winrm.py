"""A WinRM service of mallory's: it asks everybody for a password, and keeps whatever it is sent."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what a test is about."""


class RogueWinrm:
    """Listens on this machine. ``received`` are the Authorization headers, ``visits`` all requests."""

    def __init__(self, redirect_to: str = "") -> None:
        self.received: list[str] = []
        self.visits = 0
        self._redirect_to = redirect_to
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(rogue) -> type[http.server.BaseHTTPRequestHandler]:
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                rogue.visits += 1
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if (sent := self.headers.get("Authorization")) is not None:
                    rogue.received.append(sent)
                self.send_response(307 if rogue._redirect_to else 401)
                if rogue._redirect_to:
                    self.send_header("Location", rogue._redirect_to)
                self.send_header("WWW-Authenticate", "Negotiate")
                self.send_header("WWW-Authenticate", "NTLM")
                self.send_header("WWW-Authenticate", 'Basic realm="WSMAN"')
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@contextmanager
def rogue_winrm(redirect_to: str = "") -> Iterator[RogueWinrm]:
    """Give a service that runs as long as the block; with ``redirect_to`` it sends everybody there."""
    rogue = RogueWinrm(redirect_to)
    try:
        yield rogue
    finally:
        rogue.close()
