"""Keeps what is costly to make: built once, by one builder at a time, and never seen half-built."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """Return where Reconciler keeps what can be made again.

    ``RECONCILER_CACHE`` names it; else it is ``reconciler`` in the user's cache folder.

    Source: specifications.freedesktop.org/basedir-spec
    """
    chosen = os.environ.get("RECONCILER_CACHE")
    if chosen:
        return Path(chosen).absolute()
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "reconciler"


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
