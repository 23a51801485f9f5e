"""Speaks the wire protocol with the server: messages out, answers in. Keeps nothing and decides nothing."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reconciler.agent.connection import Connection, ServerUnavailable
from reconciler.kernel import protocol
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.wire import WireError, decode, encode

_LONGEST_ANSWER = 64 * 1024 * 1024
_SHOWN_OF_A_REFUSAL = 300


class ServerRefused(ReconcilerError):
    """The server understood and said no. ``status`` is the HTTP status."""

    reference = "server-refused"

    def __init__(self, what: str, status: int, *, where: str, hint: str | None = None) -> None:
        super().__init__(what, where=where, hint=hint)
        self.status = status


class Server:
    """The server, as one thread of one host sees it.

    Args:
        address: where it listens.
        ca: PEM file of the authorities trusted, or ``None`` for the system's.
        host: this host's name.
        key: this host's key; ``None`` allows nothing but to enrol.
        proxy: the address of an HTTP proxy, or ``None``.
        heard: told the ``Date`` of every answer, ``None`` where one has none.
    """

    def __init__(
        self,
        address: str,
        ca: Path | None,
        host: str,
        key: str | None,
        proxy: str | None = None,
        heard: Callable[[str | None], None] = lambda _date: None,
    ) -> None:
        self._address = address
        self._connection = Connection(address, ca, proxy)
        self._heard = heard
        self._authorization = {} if key is None else {"Authorization": f"Bearer {host}:{key}"}

    def enrol(self, request: protocol.EnrolRequest) -> None:
        """Ask to be known.

        Raises:
            ServerUnavailable, ServerRefused
        """
        self._post(protocol.ENROL, request)

    def check_in(self, check_in: protocol.CheckIn) -> protocol.CheckInAnswer:
        """Say that this host lives; return what is new.

        Raises:
            ServerUnavailable, ServerRefused
            WireError: the answer is not one.
        """
        content = self._post(protocol.CHECK_IN, check_in)
        if not content:
            return protocol.CheckInAnswer()
        try:
            parsed: Any = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise WireError("the answer to the check-in is not JSON", where=self._address) from error
        return decode(protocol.CheckInAnswer, parsed)

    def report(self, report: protocol.Report) -> None:
        """Send all that this host knows of itself.

        Raises:
            ServerUnavailable, ServerRefused
        """
        self._post(protocol.REPORT, report)

    def keep_log(self, attempt: str, log: bytes) -> None:
        """Hand over the installer's log of an attempt, in UTF-8.

        Raises:
            ServerUnavailable, ServerRefused
        """
        headers = {**self._authorization, "Content-Type": "text/plain; charset=utf-8"}
        self._exchange("PUT", protocol.LOGS + attempt, headers, log)

    @contextmanager
    def artifact(self, sha256: str, offset: int) -> Iterator[http.client.HTTPResponse]:
        """Ask for an artifact from byte ``offset`` on. The status is 200 (all of it), 206 (the rest) or 416.

        Raises:
            ServerUnavailable, ServerRefused
        """
        headers = dict(self._authorization)
        if offset:
            headers["Range"] = f"bytes={offset}-"
        path = protocol.ARTIFACTS + sha256
        with self._connection.request("GET", path, headers) as response:
            if response.status not in (200, 206, 416):
                raise self._refusal(path, response.status, response.read(_LONGEST_ANSWER))
            yield response

    def close(self) -> None:
        """Close the connection; the next message opens one."""
        self._connection.close()

    def _post(self, path: str, message: object) -> bytes:
        headers = {**self._authorization, "Content-Type": "application/json"}
        return self._exchange("POST", path, headers, json.dumps(encode(message)).encode("ascii"))

    def _exchange(self, method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
        with self._connection.request(method, path, headers, body) as response:
            content = response.read(_LONGEST_ANSWER + 1)
            status = response.status
            self._heard(response.headers["Date"])
        if len(content) > _LONGEST_ANSWER:
            raise WireError(f"the answer is longer than {_LONGEST_ANSWER} bytes", where=self._address)
        if not 200 <= status < 300:
            raise self._refusal(path, status, content)
        return content

    def _refusal(self, path: str, status: int, content: bytes) -> ReconcilerError:
        said = content[:_SHOWN_OF_A_REFUSAL].decode("utf-8", "replace")
        where = self._address + path
        if status >= 500 or status == 429:
            return ServerUnavailable(f"the server answered {status}: {said}", where=where)
        hint = "enrol this host again with a new token in agent.json" if status == 401 else None
        return ServerRefused(f"the server answered {status}: {said}", status, where=where, hint=hint)
