"""The load of a fleet that checks in: each host once, over some kept connections, as fast as answers come."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterator, Sequence
from typing import cast

from benchmarks.fleet import EnrolledHost
from reconciler.kernel import protocol
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.protocol import CheckIn
from reconciler.kernel.wire import encode

_NOTHING_NEW = b"HTTP/1.1 204 "
_END = b"\r\n\r\n"


class UnexpectedAnswer(ReconcilerError):
    """The server broke off, or answered a check-in with something else than 204."""

    reference = "unexpected-answer"


class Connections:
    """Some kept connections to one server."""

    def __init__(self) -> None:
        self._connections: list[_Connection] = []

    async def open(self, port: int, count: int, tls: ssl.SSLContext | None) -> None:
        """Open them, one after the other."""
        loop = asyncio.get_running_loop()
        for _ in range(count):
            _, connection = await loop.create_connection(_Connection, "127.0.0.1", port, ssl=tls)
            self._connections.append(connection)

    async def check_in_all(self, requests: Sequence[bytes]) -> None:
        """Send every request, each connection its next one when it has its answer; return after the last answer.

        Raises:
            UnexpectedAnswer: not every answer was 204 without a body.
        """
        waiting = iter(requests)
        await asyncio.gather(*(connection.work_through(waiting) for connection in self._connections))

    def close(self) -> None:
        """Close them."""
        for connection in self._connections:
            connection.close()


def requests_of(hosts: Sequence[EnrolledHost]) -> tuple[bytes, ...]:
    """Return the check-in of each host as the bytes that its agent sends while nothing changes."""
    return tuple(map(_request, hosts))


def _request(host: EnrolledHost) -> bytes:
    body = json.dumps(encode(CheckIn(report=host.report, assignment=host.assignment, sequence=1))).encode()
    lines = (
        f"POST {protocol.CHECK_IN} HTTP/1.1",
        "Host: 127.0.0.1",
        "Accept-Encoding: identity",
        f"Content-Length: {len(body)}",
        f"Authorization: Bearer {host.name}:{host.key}",
        "Content-Type: application/json",
        f"{protocol.MACHINE_HEADER}: {host.run} 1",
    )
    return "\r\n".join(lines).encode() + _END + body


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._waiting: Iterator[bytes] = iter(())
        self._done: asyncio.Future[None] | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's do not derive from it

    def work_through(self, waiting: Iterator[bytes]) -> asyncio.Future[None]:
        """Send the next of ``waiting`` until there is none left; the result tells when the last is answered."""
        self._done = asyncio.get_running_loop().create_future()
        self._waiting = waiting
        self._send_next()
        return self._done

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._received.endswith(_END):
            return
        if self._received.startswith(_NOTHING_NEW):
            self._received = b""
            self._send_next()
        else:
            self._break_off(self._received.decode("latin-1"))

    def connection_lost(self, error: Exception | None) -> None:
        self._break_off(f"the connection was closed: {error}")

    def close(self) -> None:
        """Close it, once the answer is there."""
        if self._transport is not None:
            self._transport.close()

    def _send_next(self) -> None:
        assert self._transport is not None
        assert self._done is not None
        request = next(self._waiting, None)
        if request is not None:
            self._transport.write(request)
        elif not self._done.done():
            self._done.set_result(None)

    def _break_off(self, why: str) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(UnexpectedAnswer("not every check-in was answered with 204", where=why[:300]))
