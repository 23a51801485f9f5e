"""The keyed queue: coalescing, one key at a time, backoff."""

from __future__ import annotations

import asyncio

import pytest

from reconciler.engine.handlers import Cause, Key
from reconciler.engine.queue import KeyedQueue

A, B = Key(Cause.REPORT, "A"), Key(Cause.REPORT, "B")


async def is_idle(queue: KeyedQueue) -> bool:
    try:
        await asyncio.wait_for(queue.take(), 0.01)
    except TimeoutError:
        return True
    return False


async def test_a_key_added_twice_while_it_waits_is_taken_once() -> None:
    queue = KeyedQueue()
    queue.add(A)
    queue.add(A)
    assert await queue.take() == A
    queue.done(A)
    assert await is_idle(queue)


async def test_a_key_added_while_it_runs_runs_once_more_and_never_beside_itself() -> None:
    queue = KeyedQueue()
    queue.add(A)
    await queue.take()
    queue.add(A)
    queue.add(A)
    assert await is_idle(queue)
    queue.done(A)
    assert await queue.take() == A
    queue.done(A)
    assert await is_idle(queue)


async def test_other_keys_go_on_while_one_runs() -> None:
    queue = KeyedQueue()
    queue.add(A)
    queue.add(B)
    assert [await queue.take(), await queue.take()] == [A, B]


async def test_backoff_doubles_and_success_forgets_it() -> None:
    queue = KeyedQueue()
    waits = []
    for _ in range(3):
        queue.add(A)
        await queue.take()
        waits.append(queue.failed(A, None))
    assert waits == [1.0, 2.0, 4.0]
    queue.add(A)
    await queue.take()
    queue.done(A)
    queue.add(A)
    await queue.take()
    assert queue.failed(A, None) == 1.0
    queue.close()


async def test_a_named_delay_is_kept_and_the_key_comes_back() -> None:
    queue = KeyedQueue()
    queue.add(A)
    await queue.take()
    assert queue.failed(A, 0.01) == 0.01
    assert await asyncio.wait_for(queue.take(), 5) == A


async def test_news_cut_a_backoff_short() -> None:
    queue = KeyedQueue()
    queue.add(A)
    await queue.take()
    queue.failed(A, 3600)
    queue.add(A)
    assert await asyncio.wait_for(queue.take(), 5) == A
    queue.done(A)
    assert await is_idle(queue)


async def test_news_during_a_failing_run_are_looked_at_at_once() -> None:
    queue = KeyedQueue()
    queue.add(A)
    await queue.take()
    queue.add(A)
    assert queue.failed(A, 3600) == 0.0
    assert await asyncio.wait_for(queue.take(), 5) == A


@pytest.mark.parametrize("count", [1, 500])
async def test_threads_may_add(count: int) -> None:
    queue = KeyedQueue()
    await asyncio.to_thread(lambda: [queue.add_threadsafe(Key(Cause.REPORT, str(i))) for i in range(count)])
    taken = {(await asyncio.wait_for(queue.take(), 5)).subject for _ in range(count)}
    assert len(taken) == count
