"""Looks now and then whether the machine is short of something, and reports it: in the log, and to `status`.

Looks at what is so, whatever failed before: a shortage is reported once, and its end too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog

from reconciler.site import Site
from reconciler.store.shortages import SHORTAGE_FACT, low_space, shortage_of

LOOK_SECONDS = 5.0
"""Seconds between looks."""

_PROBE = "lookedForShortages"
_MOST_FILES_USED = 0.95

_log = structlog.get_logger("reconciler.resources")


class Resources:
    """What the daemon works with: disk, open files, and a database that can be written.

    Args:
        site: the installation.
        open_files: how many files this process may have open.
    """

    def __init__(self, site: Site, open_files: int) -> None:
        self._site = site
        self._open_files = open_files
        self._short = ""
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="resources")

    async def keep_looking(self, short_of_files: Callable[[], bool]) -> None:
        """Look from time to time, until cancelled.

        Args:
            short_of_files: whether connections cannot be accepted for want of files or memory.
        """
        while True:
            refuses = short_of_files()
            try:
                await asyncio.get_running_loop().run_in_executor(self._pool, self.look, refuses)
            except Exception as error:  # a look that fails must not be the last one
                _log.error("cannot look for shortages", why=str(error))
            await asyncio.sleep(LOOK_SECONDS)

    def look(self, refuses: bool = False) -> str:
        """Look once, report what changed, and return what is short.

        Args:
            refuses: whether connections cannot be accepted for want of files or memory.
        """
        found = [low_space(self._site.settings.data), self._files(refuses)]
        short = "; ".join(filter(None, found))
        try:
            self._site.revisions.set_fact(SHORTAGE_FACT, short)
            self._site.revisions.set_fact(_PROBE, f"{self._site.clock():.0f}")
        except Exception as error:
            unwritable = f"the database cannot be written: {shortage_of(error) or error}"
            short = "; ".join(filter(None, (short, unwritable)))
        if short != self._short:
            if short:
                _log.error("short of resources", why=short)
            else:
                _log.info("no longer short of resources", was=self._short)
            self._short = short
        return short

    def _files(self, refuses: bool) -> str:
        try:
            used = sum(1 for _ in Path("/proc/self/fd").iterdir())
        except OSError as error:
            return f"open files cannot be counted: {error.strerror}"
        if refuses or used > self._open_files * _MOST_FILES_USED:
            return f"{used} of {self._open_files} open files are used"
        return ""
