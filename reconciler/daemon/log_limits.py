"""Keeps clients from filling the log: the same warning or error is written so often a minute, and then counted."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

MOST_A_MINUTE = 60
"""Lines a minute of one event. Events have fixed names, so there are few of them."""

_WINDOW_SECONDS = 60.0


class LimitRepeats:
    """A structlog processor. The first line that is written again says how many were left out, as ``left_out``.

    Args:
        clock: gives seconds on a clock that only goes forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[float, int]] = {}

    def __call__(self, _logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Let an event pass, or drop it.

        Raises:
            structlog.DropEvent: it was written often enough in this minute.
        """
        if method not in ("warning", "error", "exception", "critical"):
            return event
        name, now = str(event.get("event")), self._clock()
        with self._lock:
            began, count = self._windows.get(name, (now, 0))
            if now - began < _WINDOW_SECONDS:
                self._windows[name] = (began, count + 1)
                if count >= MOST_A_MINUTE:
                    raise structlog.DropEvent
                return event
            self._windows[name] = (now, 1)
        if count > MOST_A_MINUTE:
            event["left_out"] = count - MOST_A_MINUTE
        return event


class LimitRecords(logging.Filter):
    """The same for what libraries log by the standard library, such as the errors of the HTTP server."""

    def __init__(self) -> None:
        super().__init__()
        self._limit = LimitRepeats()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is written."""
        try:
            self._limit(None, record.levelname.lower(), {"event": f"{record.name} {record.msg}"})
        except structlog.DropEvent:
            return False
        return True
