"""The runner: what handlers raise decides whether they run again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from reconciler.engine.handlers import Cause, Key, PermanentError, Registry, TemporaryError
from reconciler.engine.queue import KeyedQueue
from reconciler.engine.runner import Runner

KEY = Key(Cause.REPORT, "HOST1")


@asynccontextmanager
async def running(registry: Registry) -> AsyncIterator[KeyedQueue]:
    queue = KeyedQueue()
    task = asyncio.create_task(Runner(registry, queue).run())
    yield queue
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class Calls:
    """Counts calls and lets a test wait for the n-th."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = threading.Condition()

    def note(self) -> int:
        with self._changed:
            self.count += 1
            self._changed.notify_all()
            return self.count

    async def reach(self, count: int) -> None:
        def wait() -> bool:
            with self._changed:
                return self._changed.wait_for(lambda: self.count >= count, 10)

        assert await asyncio.to_thread(wait)


async def test_a_temporary_error_runs_the_handler_again_after_its_delay() -> None:
    registry, calls = Registry(), Calls()

    @registry.on_report
    def handler(_key: Key) -> None:
        if calls.note() < 3:
            raise TemporaryError("not yet", delay=0.01)

    async with running(registry) as queue:
        queue.add(KEY)
        await calls.reach(3)


async def test_a_permanent_error_ends_it_until_the_next_event() -> None:
    registry, calls = Registry(), Calls()

    @registry.on_report
    def handler(_key: Key) -> None:
        calls.note()
        raise PermanentError("never")

    async with running(registry) as queue:
        queue.add(KEY)
        await calls.reach(1)
        queue.add(KEY)
        await calls.reach(2)
    assert calls.count == 2


async def test_an_unexpected_error_does_not_stop_other_work() -> None:
    registry, calls = Registry(), Calls()

    @registry.on_report
    def handler(key: Key) -> None:
        if key.subject == "BAD":
            raise ZeroDivisionError
        calls.note()

    async with running(registry) as queue:
        queue.add(Key(Cause.REPORT, "BAD"))
        queue.add(KEY)
        await calls.reach(1)


async def test_timers_run_at_the_start_and_again() -> None:
    registry, calls = Registry(), Calls()

    @registry.on_timer("tick", 0.01)
    def handler(_key: Key) -> None:
        calls.note()

    async with running(registry):
        await calls.reach(3)


async def test_ending_waits_for_the_handler_in_flight() -> None:
    registry = Registry()
    started, release, ended = threading.Event(), threading.Event(), threading.Event()

    @registry.on_report
    def handler(_key: Key) -> None:
        started.set()
        release.wait(10)
        ended.set()

    async with running(registry) as queue:
        queue.add(KEY)
        await asyncio.to_thread(started.wait, 10)
        asyncio.get_running_loop().call_later(0.05, release.set)
    assert ended.is_set()


def test_one_cause_has_one_handler() -> None:
    registry = Registry()
    registry.on_report(lambda _key: None)
    with pytest.raises(ValueError, match="has a handler already"):
        registry.on_report(lambda _key: None)
