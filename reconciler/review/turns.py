"""Lets one at a time change the hosted repository or what is on record of it: one thread, of one process."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import IO


class Turn:
    """A lock that may be taken again by who holds it. It goes with the process, however that ends.

    Commands on the server look at changes as well, beside the daemon; so threads are not all there is.

    Args:
        file: what processes agree by; made if missing.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._threads = threading.RLock()
        self._depth = 0
        self._handle: IO[bytes] | None = None

    def __enter__(self) -> None:
        """Wait for it, and take it."""
        self._threads.acquire()
        if self._depth == 0:
            try:
                self._handle = os.fdopen(os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "ab")
                fcntl.flock(self._handle, fcntl.LOCK_EX)
            except BaseException:
                self._release()
                raise
        self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it up."""
        self._depth -= 1
        if self._depth == 0:
            self._release()
        else:
            self._threads.release()

    def _release(self) -> None:
        if self._handle is not None:
            self._handle.close()
            self._handle = None
        self._threads.release()
