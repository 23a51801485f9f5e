"""A keyed queue: one key at a time, coalescing, with a backoff per key. Decides when, never what."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from reconciler.engine.handlers import Key

FIRST_BACKOFF = 1.0
"""Seconds before a key that failed without naming a delay runs again; doubled with each failure in a row."""

LONGEST_BACKOFF = 300.0
"""Seconds that a backoff never exceeds."""


@dataclass(slots=True)
class _Entry:
    queued: bool = False
    running: bool = False
    asked_again: bool = False
    failures: int = 0
    timer: asyncio.TimerHandle | None = None


class KeyedQueue:
    """Keys waiting for work.

    A key that is added while it waits is not added twice. One that is added while it runs, runs once more
    afterwards: what it saw may be out of date. For use from one event loop only; see `add_threadsafe`.
    """

    def __init__(self) -> None:
        self._entries: dict[Key, _Entry] = {}
        self._ready: deque[Key] = deque()
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def add(self, key: Key) -> None:
        """Ask for ``key`` to be worked on as soon as may be; a pending backoff is cut short."""
        entry = self._entries.setdefault(key, _Entry())
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None
        if entry.running:
            entry.asked_again = True
        elif not entry.queued:
            entry.queued = True
            self._ready.append(key)
            self._wake.set()

    def add_threadsafe(self, key: Key) -> None:
        """Do the same from another thread; does nothing once the loop has closed."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.add, key)

    async def take(self) -> Key:
        """Wait for a key and mark it as running. Each key taken must be given to `done` or `failed`."""
        while not self._ready:
            self._wake.clear()
            await self._wake.wait()
        key = self._ready.popleft()
        entry = self._entries[key]
        entry.queued = False
        entry.running = True
        return key

    def done(self, key: Key) -> None:
        """Say that the work on ``key`` succeeded: its failures are forgotten."""
        entry = self._finish(key)
        entry.failures = 0
        if not entry.queued:
            del self._entries[key]

    def failed(self, key: Key, delay: float | None) -> float:
        """Say that the work on ``key`` is to be tried again.

        Args:
            key: the key.
            delay: seconds to wait; ``None`` for the key's own backoff.

        Returns:
            the seconds until the next try; 0 where it was asked for again meanwhile.
        """
        entry = self._finish(key)
        entry.failures += 1
        if entry.queued:
            return 0.0
        wait = delay if delay is not None else min(FIRST_BACKOFF * 2 ** (entry.failures - 1), LONGEST_BACKOFF)
        entry.timer = self._loop.call_later(wait, self.add, key)
        return wait

    def close(self) -> None:
        """Forget every pending backoff."""
        for entry in self._entries.values():
            if entry.timer is not None:
                entry.timer.cancel()

    def _finish(self, key: Key) -> _Entry:
        entry = self._entries[key]
        entry.running = False
        if entry.asked_again:
            entry.asked_again = False
            self.add(key)
        return entry


Hint = Callable[[Key], None]
"""Something that may be called from any thread to ask for work on a key."""
