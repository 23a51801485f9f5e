"""Keeps what is costly to make: built once, by one builder at a time, and never seen half-built."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reconciler.packaging.errors import PackagingUnavailable


def cache_folder() -> Path:
    """Return where Reconciler keeps what can be made again.

    ``RECONCILER_CACHE`` names it. Otherwise it is ``reconciler`` in the user's cache folder. Where that cannot be
    written, as with a read-only home, it is a folder in the system's temporary folder, for this user alone.

    Raises:
        PackagingUnavailable: the folder in the temporary folder belongs to somebody else.

    Source: specifications.freedesktop.org/basedir-spec
    """
    chosen = os.environ.get("RECONCILER_CACHE")
    if chosen:
        return Path(chosen).absolute()
    caches = os.environ.get("XDG_CACHE_HOME")
    usual = (Path(caches) if caches else Path.home() / ".cache") / "reconciler"
    try:
        usual.mkdir(parents=True, exist_ok=True)
    except OSError:
        return _temporary_cache()
    return usual if os.access(usual, os.W_OK) else _temporary_cache()


def _temporary_cache() -> Path:
    folder = Path(tempfile.gettempdir()) / f"reconciler-cache-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    # Anybody can make this name in the temporary folder first, and would then choose what runs here.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PackagingUnavailable(
            "the cache folder is not this user's alone",
            where=str(folder),
            hint="remove it, or set RECONCILER_CACHE to a folder that only you can write",
        )
    return folder


@contextmanager
def locked(lock_file: Path) -> Iterator[None]:
    """Hold ``lock_file`` against other processes and threads; waits for as long as another holds it.

    The operating system lets go of the lock when its holder dies, however it dies.
    """
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def build_once(target: Path, make: Callable[[Path], None]) -> Path:
    """Return the folder ``target``, made by ``make`` if nobody has made it yet.

    Args:
        target: the folder; it appears under this name only when it is complete.
        make: fills the empty folder it is given, on the same file system; whatever it raises is passed on.
    """
    if target.is_dir():
        return target
    with locked(target.parent / f"{target.name}.lock"):
        if target.is_dir():
            return target
        partial_prefix = f"{target.name}.partial-"
        for leftover in target.parent.glob(f"{partial_prefix}*"):
            shutil.rmtree(leftover)  # of a builder that died: the lock is ours, so none is at work
        partial = Path(tempfile.mkdtemp(prefix=partial_prefix, dir=target.parent))
        try:
            make(partial)
            partial.rename(target)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    return target
