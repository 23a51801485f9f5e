"""Writes files so that a power cut leaves either the old content or the new. Imports next to nothing.

The installer's child process loads this as well, and its start-up time is part of every install.
"""

# ruff: noqa: PTH100, PTH104, PTH105, PTH108, PTH120, PTH123 - pathlib is slow to load

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing is slow to load
    from collections.abc import Callable
    from typing import TypeVar

    _Done = TypeVar("_Done")

_BUSY_SECONDS = 2.0
"""How long a file may be held open by another program, such as a virus scanner, before replacing it fails."""

_PAUSE_SECONDS = 0.01


def write_atomically(path: str | os.PathLike[str], text: str) -> None:
    """Put ``text`` in the place of the file at ``path``, in UTF-8; only its owner may read it.

    Raises:
        OSError: the file could not be written; what stood there before still does.
    """
    temporary = f"{os.fspath(path)}.{os.getpid()}.new"
    _write(temporary, text)
    replace(temporary, path)
    _sync_folder(path)


def replace(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Move ``source`` to ``target``, which may exist.

    Windows refuses to replace a file that somebody has open, so a refused move is tried again for two seconds.

    Raises:
        OSError: the file could not be moved; ``target`` is as it was.

    Source: learn.microsoft.com/windows/win32/fileio/moving-and-replacing-files
    """
    _when_free(lambda: os.replace(source, target))


def read_text(path: str | os.PathLike[str]) -> str:
    """Return the text of a file that another process may be replacing; what is not UTF-8 comes out as U+FFFD.

    While a file is being replaced, Windows lets nobody open it, so a refused read is tried again for two seconds.

    Raises:
        OSError: there is no such file, or it could not be read.
    """
    return _when_free(lambda: _read(path))


def _read(path: str | os.PathLike[str]) -> str:
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        return file.read()


def _when_free(action: Callable[[], _Done]) -> _Done:
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            return action()
        except PermissionError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE_SECONDS)


def claim(path: str | os.PathLike[str], text: str) -> bool:
    """Create the file at ``path`` with ``text`` in it, unless there is one: of several callers one wins.

    Returns:
        whether this call created it.

    Raises:
        OSError: the file could not be created for another reason than that it exists.
    """
    temporary = f"{os.fspath(path)}.{os.getpid()}.new"
    _write(temporary, text)
    try:
        if os.name == "nt":
            os.rename(temporary, path)  # fails where the target exists, unlike on POSIX
        else:
            os.link(temporary, path)
            os.unlink(temporary)
    except FileExistsError:
        os.unlink(temporary)
        return False
    _sync_folder(path)
    return True


def _write(path: str, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    try:
        content = memoryview(text.encode("utf-8", "surrogatepass"))
        while content:
            content = content[os.write(handle, content) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_folder(path: str | os.PathLike[str]) -> None:
    """Make the new name itself durable; NTFS journals names by itself."""
    if os.name == "nt":
        return
    handle = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
