"""Accepts connections, shakes hands, and ends those that are too slow or too many. Handles no request itself."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Collection

import structlog
import uvicorn

from reconciler.daemon.connections.addresses import address_group
from reconciler.daemon.connections.book import Caps, Connections, Ended, Entry
from reconciler.daemon.connections.protocol import BoundedProtocol, Deadlines

ACCEPTED_AT_ONCE = 8
"""Connections accepted before handshakes go on: accepted faster than that, none would end its handshake."""

CLOSING_SECONDS = 5.0
"""Seconds that a client has to end a TLS connection that we closed."""

PAUSE_SECONDS = 0.2
"""Seconds until it is tried again to accept, where the system has nothing left to accept with."""

REPORT_SECONDS = 30.0
"""Seconds between two lines of the log that say how many connections were ended."""

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

_log = structlog.get_logger("reconciler.connections")


class Doorkeeper:
    """Lets clients in to a uvicorn server.

    Args:
        listener: a listening socket.
        server: what answers requests; started without sockets of its own.
        tls: its certificate; ``None`` for connections without TLS.
        caps: how many connections there may be.
        deadlines: what clients have to keep to.
        proxied: whether an address is that of a trusted proxy, to which the limit per address does not apply.
    """

    def __init__(
        self,
        listener: socket.socket,
        server: uvicorn.Server,
        tls: ssl.SSLContext | None,
        caps: Caps,
        deadlines: Deadlines,
        proxied: Callable[[str], bool] = lambda _address: False,
    ) -> None:
        self.connections = Connections(caps)
        self._listener = listener
        self._server = server
        self._tls = tls
        self._deadlines = deadlines
        self._proxied = proxied
        self._handshakes: set[asyncio.Task[None]] = set()
        self._reported: Counter[Ended] = Counter()
        self._report_at = 0.0
        self._short_since: float | None = None
        self._open = False

    @property
    def short_of_files(self) -> bool:
        """Whether the last try to accept a connection failed for want of a descriptor or memory."""
        return self._short_since is not None

    async def run(self) -> None:
        """Let clients in until cancelled."""
        loop = asyncio.get_running_loop()
        self._listener.setblocking(False)
        self._open = True
        loop.add_reader(self._listener, self._accept)
        shortest = min(self._deadlines.handshake, self._deadlines.head, self._deadlines.body)
        try:
            while True:
                await asyncio.sleep(min(1.0, shortest / 4))
                self._sweep(loop.time())
        finally:
            self._open = False
            loop.remove_reader(self._listener)
            self._listener.close()
            self.connections.end_all()

    def _accept(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                connection, peer = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._cannot_accept(error)
                return
            self._short_since = None
            self._admit(connection, peer[0])

    def _cannot_accept(self, error: OSError) -> None:
        """End a connection for the one that waits, and accept that one in a moment."""
        loop = asyncio.get_running_loop()
        if self._short_since is None:
            self._short_since = loop.time()
            _log.error("cannot accept connections", why=error.strerror, connections=len(self.connections))
        if error.errno in _EXHAUSTED:
            self.connections.make_room()
        loop.remove_reader(self._listener)
        loop.call_later(PAUSE_SECONDS, self._accept_again)

    def _accept_again(self) -> None:
        if self._open:
            asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def _admit(self, connection: socket.socket, address: str) -> None:
        handle = _Handle(connection)
        entry = self.connections.admit("" if self._proxied(address) else address_group(address), handle.end)
        try:
            connection.setblocking(False)
            # Else answers with a body wait for an acknowledgement (Nagle's algorithm).
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            protocol = BoundedProtocol(self._server.config, self._server.server_state, entry, self._deadlines)
        except OSError:  # the client is gone already
            connection.close()
            entry.gone()
            return
        task = asyncio.get_running_loop().create_task(self._shake_hands(connection, protocol, handle, entry))
        self._handshakes.add(task)
        task.add_done_callback(self._handshakes.discard)

    async def _shake_hands(
        self, connection: socket.socket, protocol: BoundedProtocol, handle: _Handle, entry: Entry
    ) -> None:
        tls = self._tls
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=tls,
                ssl_handshake_timeout=self._deadlines.handshake if tls is not None else None,
                ssl_shutdown_timeout=CLOSING_SECONDS if tls is not None else None,
            )
        except Exception:  # a client can make this fail in any way it likes
            entry.count(Ended.HANDSHAKE)
            with contextlib.suppress(OSError):
                connection.close()
            entry.gone()
            return
        if handle.ended:  # meanwhile, for want of room
            protocol.abort()
            return
        handle.protocol = protocol

    def _sweep(self, now: float) -> None:
        protocols: Collection[object] = tuple(self._server.server_state.connections)
        for protocol in protocols:
            if isinstance(protocol, BoundedProtocol):
                self._end_overdue(protocol, now)
        if now >= self._report_at:
            self._report_at = now + REPORT_SECONDS
            new = self.connections.ended - self._reported
            if new:
                self._reported = Counter(self.connections.ended)
                told = {why.name.lower(): count for why, count in new.items()}
                _log.warning("connections ended", connections=len(self.connections), **told)

    @staticmethod
    def _end_overdue(protocol: BoundedProtocol, now: float) -> None:
        """End a connection that is overdue. One of which that cannot be told is ended too, and no other."""
        try:
            if (why := protocol.overdue(now)) is not None:
                protocol.end(why)
        except Exception:  # a fault of ours in one connection must not end the daemon
            _log.exception("connection failed")
            protocol.abort()


class _Handle:
    """Ends a connection at whatever stage it is."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.protocol: BoundedProtocol | None = None
        self.ended = False

    def end(self) -> None:
        self.ended = True
        if self.protocol is not None:
            self.protocol.abort()
            return
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)  # the handshake then fails
