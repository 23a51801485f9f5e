"""One kept-alive HTTP connection to the server, over TLS with the pinned authority, through a proxy if need be.

Knows no messages.
"""

from __future__ import annotations

import base64
import http.client
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from reconciler.kernel.errors import ReconcilerError

TIMEOUT = 30.0
"""Seconds without a byte from the server after which it counts as away."""


class ServerUnavailable(ReconcilerError):
    """The server could not be reached, or broke off."""

    reference = "server-unavailable"


class Connection:
    """A connection for one thread. It is opened when first needed and again when the server has closed it.

    Args:
        server: the server's address.
        ca: PEM file of the authorities trusted, or ``None`` for the system's.
        proxy: the address of an HTTP proxy, with ``user:password@`` where it wants them; TLS goes through it
            untouched. A server on this machine is reached without it.
    """

    def __init__(self, server: str, ca: Path | None, proxy: str | None = None) -> None:
        self._server = server
        self._parts = urlsplit(server)
        self._ca = ca
        self._proxy = None if proxy is None else urlsplit(proxy)
        self._context: ssl.SSLContext | None = None
        self._http: http.client.HTTPConnection | None = None

    @contextmanager
    def request(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """Send a request and hand over the response, to be read within the ``with`` block.

        Every request of the protocol may be sent twice without harm, so one that met a connection which the
        server had closed meanwhile is sent again on a new one.

        Raises:
            ServerUnavailable: the server cannot be reached, its certificate is not trusted, or it broke off.
        """
        reused = self._http is not None
        try:
            try:
                response = self._send(method, path, headers, body)
            except (http.client.RemoteDisconnected, ConnectionError, http.client.CannotSendRequest):
                self.close()
                if not reused:
                    raise
                response = self._send(method, path, headers, body)
            yield response
            if not response.isclosed():
                self.close()  # what was not read would be taken for the next answer
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise ServerUnavailable(
                f"{type(error).__name__}: {error}" if str(error) else type(error).__name__, where=self._server
            ) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; the next request opens one."""
        if self._http is not None:
            with suppress(OSError):
                self._http.close()
            self._http = None

    def _send(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None
    ) -> http.client.HTTPResponse:
        if self._http is None:
            self._http = self._open()
        self._http.request(method, self._parts.path + path, body=body, headers=headers)
        return self._http.getresponse()

    def _open(self) -> http.client.HTTPConnection:
        host = self._parts.hostname or ""
        if self._parts.scheme == "http":
            return http.client.HTTPConnection(host, self._parts.port, timeout=TIMEOUT)
        if self._context is None:
            self._context = ssl.create_default_context(cafile=None if self._ca is None else str(self._ca))
        if self._proxy is None:
            return http.client.HTTPSConnection(host, self._parts.port, timeout=TIMEOUT, context=self._context)
        through = http.client.HTTPSConnection(
            self._proxy.hostname or "", self._proxy.port or 80, timeout=TIMEOUT, context=self._context
        )
        headers = {}
        if self._proxy.username is not None:
            credentials = f"{unquote(self._proxy.username)}:{unquote(self._proxy.password or '')}"
            headers["Proxy-Authorization"] = "Basic " + base64.b64encode(credentials.encode()).decode()
        through.set_tunnel(host, self._parts.port or 443, headers)
        return through
