"""Takes keys from the queue and runs their handlers in a bounded pool of threads."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import structlog

from reconciler.engine.handlers import Cause, Key, PermanentError, Registry, TemporaryError
from reconciler.engine.queue import KeyedQueue
from reconciler.store.shortages import RETRY_SECONDS, shortage_of

_log = structlog.get_logger("reconciler.engine")


class Runner:
    """Works through a queue with a registry's handlers until it is cancelled.

    Args:
        registry: what to run.
        queue: what to run it for.
        workers: how many handlers run at once.
    """

    def __init__(self, registry: Registry, queue: KeyedQueue, workers: int = 4) -> None:
        self._registry = registry
        self._queue = queue
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="handler")

    async def run(self) -> None:
        """Run until cancelled. A handler in flight is waited for: its work is never cut in the middle."""
        try:
            async with asyncio.TaskGroup() as group:
                for timer in self._registry.timers:
                    group.create_task(self._tick(timer.name, timer.seconds))
                for _ in range(self._workers):
                    group.create_task(self._work())
        finally:
            self._queue.close()
            await asyncio.to_thread(self._pool.shutdown)

    async def _tick(self, name: str, seconds: float) -> None:
        while True:
            self._queue.add(Key(Cause.TIMER, name))
            await asyncio.sleep(seconds)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            key = await self._queue.take()
            try:
                await loop.run_in_executor(self._pool, self._registry.handler_for(key), key)
            except TemporaryError as error:
                wait = self._queue.failed(key, error.delay)
                _log.warning("will try again", key=str(key), error=str(error), seconds=wait)
            except PermanentError as error:
                self._queue.done(key)
                _log.error("gave up until something changes", key=str(key), error=str(error))
            except Exception as error:
                if (shortage := shortage_of(error)) is not None:
                    wait = self._queue.failed(key, RETRY_SECONDS)
                    _log.error("handler failed for a shortage", key=str(key), shortage=shortage, seconds=wait)
                    continue
                wait = self._queue.failed(key, None)
                _log.exception("handler failed", key=str(key), seconds=wait)
            else:
                self._queue.done(key)
