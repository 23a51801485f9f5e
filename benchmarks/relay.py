"""Passes TCP connections on to a server, and counts what goes by. Changes nothing in it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

_AT_ONCE = 64 * 1024


class Relay:
    """A relay on this machine to ``port`` on this machine. Its counters are exact once the traffic has ended.

    ``sent`` and ``received`` are the bytes that went to the server and came from it, what TLS adds included and
    the headers of IP and TCP not. ``exchanges`` counts the turns from the client to the server.
    """

    def __init__(self, port: int) -> None:
        self.sent = self.received = self.exchanges = 0
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no further connection."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                turn = _Turn()
                for source, target, up in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pass, args=(source, target, up, turn), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, up: bool, turn: _Turn) -> None:
        with suppress(OSError):
            while data := source.recv(_AT_ONCE):
                if up:
                    self.sent += len(data)
                    self.exchanges += turn.of_client()
                    target.sendall(data)
                    continue
                turn.of_server()
                self.received += len(data)
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class _Turn:
    """Whose turn it is on one connection."""

    def __init__(self) -> None:
        self._client = False

    def of_client(self) -> bool:
        """The client sends; return whether it was not sending already."""
        began = not self._client
        self._client = True
        return began

    def of_server(self) -> None:
        self._client = False
