"""HTTP/1.1 as uvicorn speaks it, with a deadline for each stage of a request and bounds on what is kept of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from reconciler.daemon.connections.book import Ended, Entry
from reconciler.hosts.vouching import CONNECTION

LONGEST_HEAD = 32 * 1024
"""Bytes of a request's head. What a single read brings may come on top."""

MOST_PIPELINED = 8
"""Requests that may wait on a connection for the answer to an earlier one."""

SLOWEST_BODY = 4096
"""Bytes a second that a body must bring on average once its deadline has passed."""

LONGEST_BODY_SECONDS = 600.0
"""Seconds that a body may take, however fast it comes."""

UNREAD_SECONDS = 60.0
"""Seconds that an answer may wait for a client that reads nothing of it."""

LINGER_SECONDS = 5.0
"""Seconds for which the rest of a body is still read after its request was answered: so the client sees why."""

LINGER_BYTES = 1024 * 1024
"""Bytes of such a rest. From an authenticated client all of it is read: an agent reads no answer before it sent
everything, and would take the refusal for a broken network."""

NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds that a client has: to shake hands, for the head of a request, and to go on with its body.

    ``idle`` is how long an authenticated connection may wait for its next request. One that is not has ``head``.
    """

    handshake: float
    head: float
    body: float
    idle: float


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Its deadlines are checked by `overdue`, which somebody calls about once a second.

    Args:
        config: uvicorn's.
        server_state: uvicorn's.
        entry: counts the connection.
        deadlines: what its client has to keep to.
    """

    def __init__(
        self, config: uvicorn.Config, server_state: ServerState, entry: Entry, deadlines: Deadlines
    ) -> None:
        self._loop = asyncio.get_running_loop()
        super().__init__(config, server_state, {CONNECTION: entry}, self._loop)
        self._entry = entry
        self._deadlines = deadlines
        self._in_head = True
        self._in_body = False
        self._received = 0
        self._body_began = self._body_ends = 0.0
        self._due = NEVER
        self._unread_since = NEVER
        self.timeout_keep_alive = cast(int, deadlines.head)  # any number of seconds does
        self._idle_seconds = cast(int, deadlines.idle)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin: the handshake is done."""
        super().connection_made(transport)
        self._due = self._loop.time() + self._deadlines.head

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._entry.gone()
        self._due = self._unread_since = NEVER
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless there is too much of it."""
        self._received += len(data)
        super().data_received(data)
        if self._in_head:
            if self._received > LONGEST_HEAD:
                self.end(Ended.HEAD)
        elif self._in_body:
            self._due = min(self._loop.time() + self._deadlines.body, self._body_ends)
            if not self._is_answering() and self._received > LINGER_BYTES and self._entry.identity is None:
                self.end(Ended.SLOW)

    def on_message_begin(self) -> None:
        """A request begins."""
        if len(self.pipeline) >= MOST_PIPELINED:
            raise RuntimeError("too many requests at once")  # httptools makes a parser error of it, uvicorn a 400
        super().on_message_begin()
        self._in_head = True
        self._received = 0
        self._due = self._loop.time() + self._deadlines.head

    def on_headers_complete(self) -> None:
        """The head of a request is there."""
        self._in_head = False
        self._received = 0
        self._body_began = now = self._loop.time()
        self._body_ends = now + LONGEST_BODY_SECONDS
        self._due = now + self._deadlines.body
        super().on_headers_complete()  # raises where the target is no address: no body follows then
        self._in_body = True
        self.headers = []  # what a chunked body appends as trailers is no header of the request

    def on_message_complete(self) -> None:
        """All of a request is there: what follows is up to us."""
        self._in_body = False
        self._received = 0
        self._due = NEVER
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A request is answered; the rest of a body that nobody wanted is read for a moment only."""
        if self._entry.identity is not None:
            self.timeout_keep_alive = self._idle_seconds
        super().on_response_complete()
        if self._in_body and self._entry.identity is None:
            self._due = self._body_ends = self._loop.time() + LINGER_SECONDS

    def pause_writing(self) -> None:
        """The client reads more slowly than we answer."""
        self._unread_since = self._loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client has read what waited for it."""
        self._unread_since = NEVER
        super().resume_writing()

    def overdue(self, now: float) -> Ended | None:
        """Return why the connection has to end now, by the loop's clock; ``None`` where it has not."""
        if now - self._unread_since > UNREAD_SECONDS:
            return Ended.UNREAD
        if self._in_body and self.flow.read_paused and now < self._body_ends:
            self._due = self._body_ends  # we read nothing more for now: the client is not slow
            return None
        if now > self._due:
            return Ended.SLOW
        if self._in_body and self._is_answering():
            allowed = self._deadlines.body + self._received / SLOWEST_BODY
            if now - self._body_began > allowed:
                return Ended.SLOW
        return None

    def _is_answering(self) -> bool:
        """Return whether a request has begun that is not answered yet. A refused one never has."""
        return self.cycle is not None and not self.cycle.response_complete

    def end(self, why: Ended) -> None:
        """End it at once, without waiting for the client."""
        self._entry.count(why)
        self.abort()

    def abort(self) -> None:
        """End it at once: what waits to be sent is lost."""
        transport: Any = self.transport
        if transport is not None:
            transport.abort()
