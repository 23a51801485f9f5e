"""Reads the bodies of requests: each within its own limit, and all together within a limit of memory.

A body whose Content-Length is beyond its limit is refused before any of it is read. Large messages are parsed in a
thread.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from starlette.requests import Request

from reconciler.hosts.parsing import parse
from reconciler.kernel.errors import ReconcilerError

LONGEST_ENROLMENT = 8 * 1024
"""Bytes of a request to enrol, which comes from anybody: a name, a token and a hash."""

LONGEST_REPORT = 16 * 1024 * 1024
"""Bytes of a report."""

MOST_HELD = 96 * 1024 * 1024
"""Bytes of all bodies together that are being received or waiting to be stored."""

MOST_HELD_OF_ONE = 24 * 1024 * 1024
"""The share of them that one host may have: more than one report, so that it can send it again."""

SMALL = 64 * 1024
"""Bytes of a message that is parsed at once; a larger one would keep every other host waiting."""

MOST_VALUES = 400_000
"""Values in a large message. Each takes some hundred bytes of memory once parsed, however short it is."""

T = TypeVar("T")


class TooLarge(ReconcilerError):
    """A message beyond the size that its kind may have."""

    reference = "too-large"


class TooBusy(ReconcilerError):
    """The server holds as much as it can at this moment; the same request succeeds later."""

    reference = "too-busy"


class BodyBudget:
    """Bounds the memory of bodies. For use from one event loop only.

    Args:
        most: bytes of all bodies together.
        most_of_one: bytes of the bodies of one sender.
    """

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._held = 0
        self._of: Counter[str] = Counter()

    @asynccontextmanager
    async def read(self, request: Request, longest: int, sender: str) -> AsyncIterator[bytes]:
        """Read a body, and hold its share of the budget until it was dealt with.

        Args:
            request: whose body.
            longest: bytes that it may have.
            sender: who sends it; all who are not known are one.

        Raises:
            TooLarge: it is longer.
            TooBusy: too much is held already.
        """
        if (declared := _declared(request)) is not None and declared > longest:
            raise _too_large(request, longest)
        taken = 0
        body = bytearray()
        try:
            async for chunk in request.stream():
                if len(body) + len(chunk) > longest:
                    raise _too_large(request, longest)
                self._take(sender, len(chunk))
                taken += len(chunk)
                body += chunk
            yield bytes(body)
        finally:
            self._give(sender, taken)

    def _take(self, sender: str, size: int) -> None:
        if self._held + size > self._most or self._of[sender] + size > self._most_of_one:
            raise TooBusy("the server is receiving too much at this moment", hint="send it again later")
        self._held += size
        self._of[sender] += size

    def _give(self, sender: str, size: int) -> None:
        self._held -= size
        self._of[sender] -= size
        if not self._of[sender]:
            del self._of[sender]


class Messages:
    """Reads messages of the wire protocol out of requests."""

    def __init__(self) -> None:
        self.budget = BodyBudget(MOST_HELD, MOST_HELD_OF_ONE)
        # One thread: what is parsed takes many times its length.
        self._parsing = ThreadPoolExecutor(1, thread_name_prefix="parse")

    async def read(self, understand: Callable[[Any], T], request: Request, longest: int, sender: str) -> T:
        """Return the message that a request carries.

        Args:
            understand: makes the message out of the JSON in the body.
            request: the request.
            longest: bytes that it may have.
            sender: who sends it.

        Raises:
            TooLarge: it is longer, or has too many values.
            TooBusy: too much is held already.
            WireError: it is no such message.
        """
        async with self.budget.read(request, longest, sender) as body:
            if len(body) <= SMALL:
                return understand(parse(body, request.url.path))
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._parsing, _understood, understand, body, request.url.path)


def _understood(understand: Callable[[Any], T], body: bytes, path: str) -> T:
    if sum(map(body.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise TooLarge(f"the message has more than {MOST_VALUES} values", where=path)
    return understand(parse(body, path))


def _declared(request: Request) -> int | None:
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 16 else None


def _too_large(request: Request, longest: int) -> TooLarge:
    return TooLarge(f"the body is longer than {longest} bytes", where=request.url.path)
