"""The daemon's socket."""

from __future__ import annotations

import asyncio
import socket

import pytest

from reconciler.daemon.ownership import listen_on


def test_a_port_that_somebody_listens_on_is_refused_at_once() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        first = listen_on("127.0.0.1", other.getsockname()[1])
        with first, pytest.raises(OSError, match="in use"):
            other.listen()


async def test_answers_do_not_wait_for_more_to_send() -> None:
    """With Nagle's algorithm on, an answer with a body waits 40 ms for an acknowledgement."""
    accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def take(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        accepted.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listener = listen_on("127.0.0.1", 0)
    async with await asyncio.start_server(take, sock=listener):
        _, writer = await asyncio.open_connection(*listener.getsockname())
        assert await asyncio.wait_for(accepted, 10)
        writer.close()
        await writer.wait_closed()
