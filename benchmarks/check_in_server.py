"""A server process for the check-ins: the inbox as the daemon has it, or a bare endpoint. Ends with its starter.

Run as ``python -m benchmarks.check_in_server {inbox,bare} DATA CORE [TLS FOLDER]``; prints its port, then serves
until its standard input ends.
"""

from __future__ import annotations

import asyncio
import datetime
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from reconciler.daemon.connections.open_files import raise_open_files
from reconciler.daemon.connections.serving import KEEP_ALIVE_SECONDS, HttpServer, deadlines_of
from reconciler.daemon.keeper import FLUSH_SECONDS
from reconciler.hosts.inbox import Inbox, Records
from reconciler.hosts.roster import Roster
from reconciler.hosts.tls import ServerIdentity, server_context, server_identity
from reconciler.kernel import protocol
from reconciler.settings import Settings
from reconciler.site import Site, open_site


def main(kind: str, data: Path, core: int, tls: Path | None) -> None:
    """Serve on one core until standard input ends."""
    os.sched_setaffinity(0, {core})
    with open_site(Settings(data=data)) as site, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve_inbox(site, tls) if kind == "inbox" else _serve(_bare(), tls))


async def _serve_inbox(site: Site, tls: Path | None) -> None:
    """Serve the real inbox with every host of the store, and write down who was seen when, as the daemon does."""
    roster = Roster(site.hosts.all(), site.machines.all())
    records = Records(site.hosts, site.replacements, site.machines, site.attempts, site.artifacts, site.logs)
    inbox = Inbox(roster, records, _Keeper())
    listener = _listener()
    context = None if tls is None else server_context(_identity(tls))
    caps, deadlines = raise_open_files().caps(site.settings), deadlines_of(site.settings)
    server = HttpServer(inbox, listener, context, caps, deadlines)
    _begin(listener, server.stop)
    async with _flushing(site, roster):
        await server.run(asyncio.Event())


@asynccontextmanager
async def _flushing(site: Site, roster: Roster) -> AsyncIterator[None]:
    async def flush() -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            if seen := roster.take_seen():
                await asyncio.to_thread(site.hosts.record_seen, seen)

    task = asyncio.create_task(flush())
    try:
        yield
    finally:
        task.cancel()


def _bare() -> ASGIApp:
    async def nothing_new(_request: Request) -> Response:
        return Response(status_code=204)

    return Starlette(routes=[Route(protocol.CHECK_IN, nothing_new, methods=["POST"])])


async def _serve(app: ASGIApp, tls: Path | None) -> None:
    listener = _listener()
    identity = None if tls is None else _identity(tls)
    config = uvicorn.Config(
        app,
        http="httptools",
        ssl_certfile=None if identity is None else str(identity.certificate),
        ssl_keyfile=None if identity is None else str(identity.key),
        timeout_keep_alive=int(KEEP_ALIVE_SECONDS),
        timeout_graceful_shutdown=2,
        access_log=False,
        log_level="warning",
        lifespan="off",
    )
    server = uvicorn.Server(config)

    def stop() -> None:
        server.should_exit = True

    _begin(listener, stop)
    await server.serve([listener])


def _listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0), backlog=256)


def _identity(folder: Path) -> ServerIdentity:
    return server_identity(folder, ["127.0.0.1"], datetime.datetime.now(datetime.UTC))


def _begin(listener: socket.socket, stop: Callable[[], None]) -> None:
    """Print the port, and stop the server when standard input ends."""

    def end_with_starter() -> None:
        sys.stdin.buffer.read()
        stop()

    threading.Thread(target=end_with_starter, daemon=True).start()
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()


class _Keeper:
    """A keeper that nobody has told anything: hosts whose state is unchanged give no cause to."""

    def placement(self, host: str) -> str | None:
        raise AssertionError(f"{host} asked to enrol")

    def reported(self, host: str) -> None:
        raise AssertionError(f"{host} sent a report")

    def enrolled(self, host: str) -> None:
        raise AssertionError(f"{host} enrolled")

    def spoke_again(self, host: str) -> None:
        raise AssertionError(f"{host} was held to be silent")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]) if len(sys.argv) > 4 else None)
