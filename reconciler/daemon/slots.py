"""Shares a bounded number of slots among accounts: one account cannot take them all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class NoSlot(Exception):
    """There is no slot: too much of the account is under way, or of all accounts together."""


class Slots:
    """Slots for one kind of work. For use from one event loop only.

    Args:
        total: how many there are.
        of_one: how many of them one account may have.
        wait_seconds: how long to wait for one, where only the total is reached.
    """

    def __init__(self, total: int, of_one: int, wait_seconds: float) -> None:
        self._free = asyncio.Semaphore(total)
        self._of_one = of_one
        self._wait_seconds = wait_seconds
        self._taken: Counter[str] = Counter()

    @asynccontextmanager
    async def taken_by(self, account: str) -> AsyncIterator[None]:
        """Hold a slot.

        Raises:
            NoSlot: the account has its share already, or no slot became free in time.
        """
        if self._taken[account] >= self._of_one:
            raise NoSlot(f"{self._of_one} of your requests are under way already; wait for one of them to end")
        self._taken[account] += 1
        try:
            try:
                async with asyncio.timeout(self._wait_seconds):
                    await self._free.acquire()
            except TimeoutError as error:
                raise NoSlot("the server is busy with other requests; try again in a moment") from error
            try:
                yield
            finally:
                self._free.release()
        finally:
            self._taken[account] -= 1
            if not self._taken[account]:
                del self._taken[account]
