"""Recognises errors that mean the machine is short of something: space, open files, memory. Such errors pass."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

RETRY_SECONDS = 5.0
"""Seconds until work that failed for a shortage is tried again: a shortage ends without notice."""


LOW_SPACE = 64 * 1024 * 1024
"""Bytes of free space below which the disk counts as nearly full."""

SHORTAGE_FACT = "shortage"
"""The fact that says what the daemon is short of; empty where nothing is."""


class Shortage(StrEnum):
    """What the machine is short of, in words for people."""

    SPACE = "no space left on the disk"
    FILES = "too many open files"
    MEMORY = "out of memory or threads"
    LOCKED = "the database is locked by another process"


_BY_NUMBER = {
    errno.ENOSPC: Shortage.SPACE,
    errno.EDQUOT: Shortage.SPACE,
    errno.EFBIG: Shortage.SPACE,
    errno.EMFILE: Shortage.FILES,
    errno.ENFILE: Shortage.FILES,
    errno.ENOMEM: Shortage.MEMORY,
    errno.EAGAIN: Shortage.MEMORY,
}

_BY_SQLITE = {
    sqlite3.SQLITE_FULL: Shortage.SPACE,
    # SQLite says no more than this where it may not open, or cannot extend, one of its files.
    sqlite3.SQLITE_CANTOPEN: Shortage.FILES,
    sqlite3.SQLITE_IOERR: Shortage.SPACE,
    sqlite3.SQLITE_NOMEM: Shortage.MEMORY,
    sqlite3.SQLITE_BUSY: Shortage.LOCKED,
}


def shortage_of(error: BaseException) -> Shortage | None:
    """Return what the machine is short of by an error, or by what caused it; ``None`` for any other error."""
    for one in _causes(error):
        if isinstance(one, MemoryError):
            return Shortage.MEMORY
        if isinstance(one, RuntimeError) and "can't start new thread" in str(one):
            return Shortage.MEMORY
        if isinstance(one, sqlite3.Error):
            # The low byte is the primary result code (sqlite.org/rescode.html).
            found = _BY_SQLITE.get((getattr(one, "sqlite_errorcode", 0) or 0) & 0xFF)
        else:
            found = _BY_NUMBER.get(one.errno or 0) if isinstance(one, OSError) else None
        if found is not None:
            return found
    return None


def low_space(folder: Path) -> str:
    """Return that the disk of a folder is nearly full; empty where it is not.

    Args:
        folder: the installation's data folder.
    """
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return f"the disk of {folder} cannot be read: {error.strerror}"
    return f"{free // 1024**2} MiB left on the disk of {folder}" if free < LOW_SPACE else ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    for _ in range(10):
        if seen is None:
            return
        yield seen
        seen = getattr(seen, "orig", None) or seen.__cause__ or seen.__context__
