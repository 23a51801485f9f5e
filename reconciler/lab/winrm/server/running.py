"""One command of a shell: its output is kept until it is fetched, its exit code until the command is dropped."""

from __future__ import annotations

import io
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import IO

from reconciler.lab.winrm.server.faults import Fault, WSManFault
from reconciler.lab.winrm.server.jobs import Job, Start

STDOUT, STDERR = "stdout", "stderr"

_KEPT_BYTES = 1 << 20
"""How much of a stream is kept unfetched; then the command waits, as it would on a full pipe."""

_LAST_OUTPUT_SECONDS = 1
"""How long to wait for the end of the output once the command has ended: a process it left behind may hold it."""

_SIGN_BIT = 1 << 31


class End(Enum):
    """Why a command was ended from outside."""

    TERMINATED = 1
    CONTROL_C = 0xC000013A
    """STATUS_CONTROL_C_EXIT."""


class _Phase(Enum):
    RUNNING = auto()
    DONE = auto()
    DROPPED = auto()


@dataclass(frozen=True, slots=True)
class Output:
    """What a Receive hands over: ``exit_code`` is signed, and ``None`` while there is more to come."""

    streams: tuple[tuple[str, bytes], ...]
    exit_code: int | None


class RunningCommand:
    """A process with its streams; safe to use from several threads."""

    def __init__(self, start: Start) -> None:
        """Start the process.

        Raises:
            OSError: it could not be started.
        """
        self._job = Job(start)
        self._process: subprocess.Popen[bytes] = self._job.process
        self._changed = threading.Condition()
        self._kept = {STDOUT: bytearray(), STDERR: bytearray()}
        self._phase = _Phase.RUNNING
        self._exited = False
        self._exit_code = 0
        self._last: tuple[str, Output] | None = None
        readers = [
            threading.Thread(target=self._read, args=(stream, pipe), daemon=True)
            for stream, pipe in ((STDOUT, self._process.stdout), (STDERR, self._process.stderr))
        ]
        for reader in readers:
            reader.start()
        threading.Thread(target=self._wait, args=(readers,), daemon=True).start()

    def receive(self, message_id: str, seconds: float, limit: int, listens: Callable[[], bool]) -> Output:
        """Return output as soon as there is some, or that the command has ended.

        A request that comes again with the same message id gets the same output again: its first answer may have
        been lost on the way.

        Args:
            message_id: the request's.
            seconds: how long to wait.
            limit: how many bytes to return at most.
            listens: says whether the client is still there; it is asked before anything is handed over.

        Raises:
            WSManFault: nothing came in time, the command was ended by Terminate, or the client has gone.
        """
        deadline = time.monotonic() + seconds
        with self._changed:
            if self._last is not None and self._last[0] == message_id:
                return self._last[1]
            while not self._has_news():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise WSManFault(Fault.TIMED_OUT)
                self._changed.wait(left)
            if self._phase is _Phase.DROPPED or not listens():
                raise WSManFault(Fault.ABORTED)
            self._last = (message_id, self._take(limit))
            self._changed.notify_all()
            return self._last[1]

    def send(self, data: bytes, end: bool) -> None:
        """Write to the command's input, and close it where this is the ``end``.

        Raises:
            WSManFault: the input is closed.
        """
        pipe = self._process.stdin
        assert pipe is not None
        try:
            pipe.write(data)
            pipe.flush()
            if end:
                pipe.close()
        except (OSError, ValueError) as error:
            raise WSManFault(Fault.ABORTED) from error

    def end(self, end: End) -> None:
        """End the command and all it has started; after Terminate nothing of it can be fetched any more."""
        with self._changed:
            if self._phase is _Phase.DROPPED:
                return
            self._job.terminate(end.value)
            if end is End.TERMINATED:
                self._job.close()
                self._phase = _Phase.DROPPED
                self._changed.notify_all()

    def _has_news(self) -> bool:
        return self._phase is not _Phase.RUNNING or any(self._kept.values())

    def _take(self, limit: int) -> Output:
        taken = []
        for stream, kept in self._kept.items():
            if kept and limit > 0:
                data = bytes(kept[:limit])
                del kept[:limit]
                limit -= len(data)
                taken.append((stream, data))
        done = self._phase is _Phase.DONE and not any(self._kept.values())
        return Output(tuple(taken), self._exit_code if done else None)

    def _read(self, stream: str, pipe: IO[bytes]) -> None:
        assert isinstance(pipe, io.BufferedReader)
        with pipe:
            while part := pipe.read1(65536):
                with self._changed:
                    self._kept[stream] += part
                    self._changed.notify_all()
                    while len(self._kept[stream]) > _KEPT_BYTES and not self._exited:
                        self._changed.wait()

    def _wait(self, readers: list[threading.Thread]) -> None:
        code = self._process.wait()
        with self._changed:
            self._exited = True  # a reader that waits for room may take the rest: it is no more than a pipe holds
            self._changed.notify_all()
        deadline = time.monotonic() + _LAST_OUTPUT_SECONDS
        for reader in readers:
            reader.join(max(deadline - time.monotonic(), 0))
        with self._changed:
            self._exit_code = code - 2 * _SIGN_BIT if code >= _SIGN_BIT else code
            if self._phase is _Phase.RUNNING:
                self._phase = _Phase.DONE
            self._changed.notify_all()
