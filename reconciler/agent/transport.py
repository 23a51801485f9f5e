"""Speaks the wire protocol with the server: messages out, answers in. Keeps nothing and decides nothing."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.agent.connection import Connection, ServerUnavailable
from reconciler.kernel import protocol
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.wire import WireError, decode, encode

_LONGEST_ANSWER = 64 * 1024 * 1024
_SHOWN_OF_A_REFUSAL = 600
_LONGEST_WAIT = 6
"""Digits of the seconds that the server may ask to wait; what is longer is not heeded."""


class ServerRefused(ReconcilerError):
    """The server understood and said no. ``status`` is the HTTP status."""

    reference = "server-refused"

    def __init__(self, what: str, status: int, *, where: str, hint: str | None = None) -> None:
        super().__init__(what, where=where, hint=hint)
        self.status = status


class ServerBusy(ServerUnavailable):
    """The server asks to be left alone for a while: ``wait`` seconds."""

    reference = "server-busy"

    def __init__(self, what: str, wait: float, *, where: str) -> None:
        super().__init__(what, where=where)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: this host's name and key, and what the agent says of its machine.

    Without a key, nothing is allowed but to enrol. ``machine`` gives the value of the header.
    """

    host: str
    key: str | None
    machine: Callable[[], str] = lambda: ""


class Server:
    """The server, as one thread of one host sees it.

    Args:
        address: where it listens.
        ca: PEM file of the authorities trusted, or ``None`` for the system's.
        caller: who asks.
        proxy: the address of an HTTP proxy, or ``None``.
        heard: told the ``Date`` of every answer, ``None`` where one has none.
    """

    def __init__(
        self,
        address: str,
        ca: Path | None,
        caller: Caller,
        proxy: str | None = None,
        heard: Callable[[str | None], None] = lambda _date: None,
    ) -> None:
        self._address = address
        self._connection = Connection(address, ca, proxy)
        self._heard = heard
        self._caller = caller

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

    def report(self, report: protocol.Report) -> tuple[str, ...]:
        """Send all that this host knows of itself; return what the server changed or left out, in words.

        Raises:
            ServerUnavailable, ServerRefused
        """
        content = self._post(protocol.REPORT, report)
        try:
            return decode(protocol.ReportAnswer, json.loads(content)).notes if content else ()
        except (ValueError, RecursionError, WireError):
            return ("the answer to the report cannot be read; the report is kept all the same",)

    def keep_log(self, attempt: str, log: bytes) -> None:
        """Hand over the installer's log of an attempt, in UTF-8.

        Raises:
            ServerUnavailable, ServerRefused
        """
        headers = {**self._headers(), "Content-Type": "text/plain; charset=utf-8"}
        self._exchange("PUT", protocol.LOGS + attempt, headers, log)

    @contextmanager
    def artifact(self, sha256: str, offset: int) -> Iterator[http.client.HTTPResponse]:
        """Ask for an artifact from byte ``offset`` on. The status is 200 (all of it), 206 (the rest) or 416.

        Raises:
            ServerUnavailable, ServerRefused
        """
        headers = self._headers()
        if offset:
            headers["Range"] = f"bytes={offset}-"
        path = protocol.ARTIFACTS + sha256
        with self._connection.request("GET", path, headers) as response:
            if response.status not in (200, 206, 416):
                raise self._refusal(path, response, response.read(_LONGEST_ANSWER))
            yield response

    def close(self) -> None:
        """Close the connection; the next message opens one."""
        self._connection.close()

    def _post(self, path: str, message: object) -> bytes:
        headers = {**self._headers(), "Content-Type": "application/json"}
        return self._exchange("POST", path, headers, json.dumps(encode(message)).encode("ascii"))

    def _exchange(self, method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
        with self._connection.request(method, path, headers, body) as response:
            content = response.read(_LONGEST_ANSWER + 1)
            self._heard(response.headers["Date"])
        if len(content) > _LONGEST_ANSWER:
            raise WireError(f"the answer is longer than {_LONGEST_ANSWER} bytes", where=self._address)
        if not 200 <= response.status < 300:
            raise self._refusal(path, response, content)
        return content

    def _headers(self) -> dict[str, str]:
        caller = self._caller
        known = {} if caller.key is None else {"Authorization": f"Bearer {caller.host}:{caller.key}"}
        machine = caller.machine()
        return {**known, protocol.MACHINE_HEADER: machine} if machine else known

    def _refusal(self, path: str, response: http.client.HTTPResponse, content: bytes) -> ReconcilerError:
        status = response.status
        said = content[:_SHOWN_OF_A_REFUSAL].decode("utf-8", "replace")
        where = self._address + path
        wait = response.headers["Retry-After"] or ""
        if wait.isascii() and wait.isdigit() and len(wait) <= _LONGEST_WAIT:
            return ServerBusy(f"the server answered {status}: {said}", float(wait), where=where)
        if status >= 500 or status == 429:
            return ServerUnavailable(f"the server answered {status}: {said}", where=where)
        hint = "enrol this host again with a new token in agent.json" if status == 401 else None
        return ServerRefused(f"the server answered {status}: {said}", status, where=where, hint=hint)
