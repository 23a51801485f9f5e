"""Sets up the agent's own log: a rotated file in its data folder, since a service has no standard handles."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from reconciler.kernel.visible_text import visible

_LONGEST = 2 * 1024 * 1024
_OLD_ONES = 3
_LONGEST_RECORD = 10_000


class _OneLineEach(logging.Formatter):
    """Writes a record on one line, with a traceback indented below: text of others begins no line of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return visible(super().formatMessage(record)[:_LONGEST_RECORD])

    def formatException(self, ei: Any) -> str:
        lines = super().formatException(ei)[:_LONGEST_RECORD].split("\n")
        return "\n".join(f"  {visible(line)}" for line in lines)


def open_log(data: Path) -> None:
    """Send the agent's log records to ``<data>/logs/agent.log``.

    Raises:
        OSError: the file cannot be written.
    """
    folder = data / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(folder / "agent.log", maxBytes=_LONGEST, backupCount=_OLD_ONES, encoding="utf-8")
    handler.setFormatter(_OneLineEach("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger("reconciler")
    root.addHandler(handler)
    root.setLevel(logging.INFO)
