"""Tells the server's time, whatever this machine's clock says: holds, backoffs and attempts are counted in it.

Every answer of the server carries its time. Between two answers the monotonic clock goes on from there, so a clock
that is hours off, or is set while the agent runs, moves nothing.
"""

from __future__ import annotations

import email.utils
import logging
import threading
import time
from collections.abc import Callable

TOLERANCE = 5.0
"""Seconds by which the server's time may differ unheard: it comes in whole seconds, and late by the network."""

_WORTH_KEEPING = 60.0
_log = logging.getLogger(__name__)


class ServerClock:
    """The server's clock as this host knows it. Its methods may be called from several threads.

    Args:
        offset: by how many seconds the server's clock was ahead of this machine's when last heard of.
        keep: called with the offset when it has changed by more than a minute.
    """

    def __init__(self, offset: float = 0.0, keep: Callable[[float], None] = lambda _offset: None) -> None:
        self._keep = keep
        self._kept = offset
        self._lock = threading.Lock()
        self._anchor = time.time() + offset - time.monotonic()

    def now(self) -> float:
        """Return the server's time, in seconds since the epoch, as far as it is known."""
        with self._lock:
            return self._anchor + time.monotonic()

    def heard(self, date: str | None) -> None:
        """Take the server's time from the ``Date`` of an answer; one that is missing or nonsense is passed over.

        Source: rfc-editor.org/rfc/rfc9110 (Date)
        """
        try:
            told = email.utils.parsedate_to_datetime(date or "").timestamp()
        except ValueError:
            return
        if abs(told - self.now()) > TOLERANCE:
            with self._lock:
                self._anchor = told - time.monotonic()
        offset = self.now() - time.time()
        if abs(offset - self._kept) > _WORTH_KEEPING:
            _log.warning(
                "this machine's clock is %.0f s %s the server's",
                abs(offset),
                "behind" if offset > 0 else "ahead of",
            )
            self._kept = offset
            self._keep(offset)
