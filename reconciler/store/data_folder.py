"""The data folder: for the account that runs Reconciler, and nobody else. Reads nothing that lies in it.

While an installation is open, the umask of the process keeps new files private: libgit2 and git know no other way.
Files that are there already are checked, and closed to others or refused.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.kernel.errors import ReconcilerError

FOLDER_MODE = 0o700
"""The mode of every folder in the data folder, and of itself."""

FILE_MODE = 0o600
"""The mode of every file in it."""

_OTHERS = 0o077
_KEYS = frozenset({"ca.key", "server.key", "review-key", "checkpoint-key"})
_NAMED = 5
_ACCESS_LIST = "system.posix_acl_default"
_NOT_OURS = frozenset({"lost+found"})
"""What a file system of its own has at its top: it belongs to root, and nobody else can look into it."""

_LAB = "lab"
"""Lab hosts have hundreds of thousands of files. Closing the folder above them keeps others out."""

_log = logging.getLogger("reconciler.data")


class DataFolderUnsafe(ReconcilerError):
    """The data folder, or something in it, belongs to another account or cannot be closed to others."""

    reference = "data-folder-unsafe"


@dataclass(slots=True)
class _Found:
    """What was open to others, by where it is."""

    opened: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    writable: bool = False


_users_umask: list[int] = []


@contextlib.contextmanager
def private_umask() -> Iterator[None]:
    """Have this process make files and folders that only its own account can reach, until the end of the block."""
    before = os.umask(_OTHERS)
    _users_umask.append(before)
    try:
        yield
    finally:
        _users_umask.pop()
        os.umask(before)


@contextlib.contextmanager
def users_umask() -> Iterator[None]:
    """Have this process make files with the modes that its user wants, until the end of the block.

    For files that a command writes outside the data folder. The umask belongs to the process, so only commands
    may use this: they have one thread.
    """
    if not _users_umask:
        yield
        return
    private = os.umask(_users_umask[0])
    try:
        yield
    finally:
        os.umask(private)


def make_data_folder(data: Path) -> None:
    """Make the data folder where there is none, and close it to others.

    Args:
        data: where it is; it may be a symbolic link to a folder.

    Raises:
        DataFolderUnsafe: it is no folder, cannot be made, belongs to another account, or cannot be closed.
    """
    try:
        data.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)  # its parents get the usual mode
    except OSError as error:
        raise DataFolderUnsafe(
            f"the data folder cannot be made: {error.strerror or error}",
            where=str(data),
            hint="name a folder that this account can write to, with --data or RECONCILER_DATA",
        ) from error
    protect(data)


def protect(data: Path, *, deep: bool = False) -> None:
    """Close the data folder to other accounts, and say in the log what was open.

    A folder is closed before its content is read, so nobody can add to it meanwhile. A symbolic link at the top of
    the data folder is followed; one further down is not.

    Args:
        data: the folder.
        deep: whether to look at everything that lies in it, at any depth; otherwise at its top only.

    Raises:
        DataFolderUnsafe: something belongs to another account or cannot be closed.
    """
    found = _Found()
    try:
        _look(data, found)
        for entry in sorted(data.iterdir()):
            if entry.name in _NOT_OURS:
                continue
            _look(entry, found)
            if deep and entry.name != _LAB and entry.is_dir():
                _descend(entry, found)
    except OSError as error:
        raise DataFolderUnsafe(
            f"the data folder cannot be looked at: {error.strerror or error}",
            where=str(error.filename or data),
            hint="check that it is a folder of the account that runs Reconciler",
        ) from error
    if found.opened:
        _warn(data, found)


def _descend(top: Path, found: _Found) -> None:
    for folder, folders, files in os.walk(top):
        for name in (*folders, *files):
            path = Path(folder, name)
            if path.is_symlink():
                _demand_ours(path, path.lstat())
            else:
                _look(path, found)


def _look(path: Path, found: _Found) -> None:
    """Close one file or folder, where it is open to others."""
    if path.is_symlink():
        _demand_ours(path, path.lstat())
    try:
        status = path.stat()
    except FileNotFoundError:
        return  # a temporary file that has gone meanwhile, such as SQLite's; or a link that leads nowhere
    _demand_ours(path, status)
    if stat.S_ISDIR(status.st_mode):
        _drop_access_list(path)
    mode = stat.S_IMODE(status.st_mode)
    if not mode & _OTHERS:
        return
    found.opened.append(str(path))
    found.writable = found.writable or bool(mode & 0o022)
    if path.name in _KEYS:
        found.keys.append(str(path))
    with contextlib.suppress(OSError):
        os.chmod(path, mode & FOLDER_MODE)  # noqa: PTH101 - as the other calls of this module
    if path.stat().st_mode & _OTHERS:
        raise DataFolderUnsafe(
            f"other accounts can reach it (mode {mode:04o}), and it cannot be closed to them",
            where=str(path),
            hint="keep the data folder on a file system that has modes, such as ext4 or xfs",
        )


def _demand_ours(path: Path, status: os.stat_result) -> None:
    us = os.geteuid()
    if status.st_uid == us:
        return
    owner = _name_of(status.st_uid)
    raise DataFolderUnsafe(
        f"it belongs to {owner}, and this runs as {_name_of(us)}",
        where=str(path),
        hint=f"run this as {owner}; if it should belong to {_name_of(us)}, find out who put it there, "
        f"and then: chown -h {us} {path}",
    )


def _name_of(uid: int) -> str:
    import pwd

    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def _drop_access_list(folder: Path) -> None:
    """Drop the default access list of a folder: where there is one, it decides about new files, not the umask."""
    if hasattr(os, "removexattr"):
        with contextlib.suppress(OSError):  # there is none, or the file system knows none
            os.removexattr(folder, _ACCESS_LIST)


def _warn(data: Path, found: _Found) -> None:
    named = ", ".join(found.opened[:_NAMED])
    others = len(found.opened) - _NAMED
    more = f" and {others} more" if others > 0 else ""
    done = "read or change" if found.writable else "read"
    _log.warning("other accounts could %s %s%s in %s; it is closed to them now", done, named, more, data)
    if found.keys:
        _log.warning(
            "other accounts could read these keys: %s; replace them if anybody else uses this machine",
            ", ".join(found.keys),
        )
