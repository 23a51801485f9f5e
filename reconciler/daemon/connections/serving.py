"""Serves an ASGI application over TLS: uvicorn for HTTP, and our own doorkeeper for connections."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Sequence

import uvicorn
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from reconciler.daemon.connections.book import Caps
from reconciler.daemon.connections.doorkeeper import Doorkeeper
from reconciler.daemon.connections.protocol import Deadlines
from reconciler.settings import Settings

KEEP_ALIVE_SECONDS = 240.0
"""Seconds that an idle agent's connection is kept: longer than a poll interval, as a new one costs far more."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def deadlines_of(settings: Settings) -> Deadlines:
    """Return what clients have to keep to."""
    return Deadlines(settings.handshake_seconds, settings.head_seconds, settings.body_seconds, KEEP_ALIVE_SECONDS)


class HttpServer:
    """One listening socket, and the application behind it.

    Args:
        app: answers requests. Their ``client`` is the peer of the connection. Where the peer is a trusted proxy,
            it is the last address in ``X-Forwarded-For`` that is not a trusted proxy.
        listener: a listening socket; closed at the end.
        tls: the certificate; ``None`` for connections without TLS.
        caps: how many connections there may be.
        deadlines: what clients have to keep to.
        proxies: the networks of trusted proxies.
    """

    def __init__(
        self,
        app: ASGIApp,
        listener: socket.socket,
        tls: ssl.SSLContext | None,
        caps: Caps,
        deadlines: Deadlines,
        proxies: Sequence[Network] = (),
    ) -> None:
        config = uvicorn.Config(
            _behind(proxies, app),
            # Else it trusts 127.0.0.1, or whatever FORWARDED_ALLOW_IPS says, to name the client's address.
            proxy_headers=False,
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=2,
            access_log=False,
            # Below an error it only says what clients send wrongly, a line for each request.
            log_level="error",
            log_config=None,  # its records go where the daemon's own log goes, each on one line
            lifespan="off",
        )
        self._server = uvicorn.Server(config)

        def proxied(address: str) -> bool:
            return any(ipaddress.ip_address(address.partition("%")[0]) in network for network in proxies)

        self.doorkeeper = Doorkeeper(listener, self._server, tls, caps, deadlines, proxied)

    async def run(self, started: asyncio.Event) -> None:
        """Serve until `stop` is called or the task is cancelled.

        Args:
            started: set once connections are accepted.
        """
        serving = asyncio.create_task(self._server.serve([]))
        while not self._server.started and not serving.done():
            await asyncio.sleep(0.01)
        admitting = asyncio.create_task(self.doorkeeper.run())
        started.set()
        try:
            await asyncio.wait({serving, admitting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.stop()
            admitting.cancel()
            ended = await asyncio.gather(serving, admitting, return_exceptions=True)
        for one in ended:
            if isinstance(one, Exception):
                raise one

    def stop(self) -> None:
        """End soon: requests under way have a moment left."""
        self._server.should_exit = True


def _behind(proxies: Sequence[Network], app: ASGIApp) -> ASGIApp:
    if not proxies:
        return app
    trusted: ASGIApp = ProxyHeadersMiddleware(app, [str(network) for network in proxies])  # type: ignore[arg-type, assignment]
    return trusted
