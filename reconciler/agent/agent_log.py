"""Sets up the agent's own log: a rotated file in its data folder, since a service has no standard handles."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

_LONGEST = 2 * 1024 * 1024
_OLD_ONES = 3


def open_log(data: Path) -> None:
    """Send the agent's log records to ``<data>/logs/agent.log``.

    Raises:
        OSError: the file cannot be written.
    """
    folder = data / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(folder / "agent.log", maxBytes=_LONGEST, backupCount=_OLD_ONES, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger("reconciler")
    root.addHandler(handler)
    root.setLevel(logging.INFO)
