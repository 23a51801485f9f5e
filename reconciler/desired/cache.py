"""Remembers the last desired state that was loaded, so that the next load reads only what changed since.

It may be lost at any time, and costs nothing but time then. What a file of it holds is trusted only where its
checksum is right and the same code wrote it; everything else is thrown away.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import threading
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pydantic
import yaml

import reconciler.desired
import reconciler.kernel
from reconciler.desired.snapshots import Snapshot, from_json, to_json

if TYPE_CHECKING:
    from reconciler.desired.loading import Loaded

MOST_LOADED = 12
"""Loads of which the outcome is remembered: environments can be held to states of several commits."""

WRITE_AFTER = 0.05
"""Share of the files that must have changed since the file was written for it to be written again."""

_MAGIC = b"reconciler desired state, cached\n"
_DIGEST_SIZE = hashlib.sha256().digest_size


class LoadCache:
    """The last desired state, for one repository and one process; may be shared between threads."""

    def __init__(self, file: Path | None = None) -> None:
        """Begin with nothing, or with what another process left.

        Args:
            file: where to leave it for the next start, in a folder that exists; without one, in memory only.
        """
        self.lock = threading.Lock()
        """To be held by whoever loads."""
        self._file = file
        self._snapshot: Snapshot | None = None
        self._loaded: OrderedDict[tuple[str, str], Loaded] = OrderedDict()
        self._unread = file is not None
        self._changed = 0

    def snapshot(self, root: str, revision: str) -> Snapshot | None:
        """Return the last desired state, if it is still known.

        Args:
            root: what its paths are to start with.
            revision: the id of the commit that is to be loaded.
        """
        if self._unread and self._file is not None:
            self._unread = False
            self._snapshot = _read(self._file, root, revision)
        known = self._snapshot
        return known if known is not None and known.manifests.root == root else None

    def loaded(self, root: str, tree: str) -> Loaded | None:
        """Return what an earlier load of the same files came to, if it is still known.

        Args:
            root: what their paths start with.
            tree: the id of the tree below it.
        """
        found = self._loaded.get((root, tree))
        if found is not None:
            self._loaded.move_to_end((root, tree))
        return found

    def remember(self, root: str, tree: str, loaded: Loaded) -> None:
        """Remember what a load came to, and forget the one that was not asked for the longest."""
        self._loaded[root, tree] = loaded
        if len(self._loaded) > MOST_LOADED:
            self._loaded.popitem(last=False)

    def keep(self, snapshot: Snapshot, changed: int) -> None:
        """Remember a desired state instead of the last.

        Args:
            snapshot: the desired state.
            changed: how many files differ from the last.
        """
        self._snapshot = snapshot
        self._changed += changed
        if self._file is not None and self._changed >= WRITE_AFTER * snapshot.entries:
            self._changed = 0
            # Where it cannot be written, the next start takes longer; nothing else depends on it.
            with contextlib.suppress(OSError):
                _write(self._file, snapshot)


def _read(file: Path, root: str, revision: str) -> Snapshot | None:
    try:
        content = file.read_bytes()
    except OSError:
        return None
    writer = _writer()
    head = len(_MAGIC) + len(writer) + _DIGEST_SIZE
    text = memoryview(content)[head:]
    if not writer or content[:head] != _MAGIC + writer + hashlib.sha256(text).digest():
        return None
    try:
        return from_json(bytes(text), root, revision)
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _write(file: Path, snapshot: Snapshot) -> None:
    writer = _writer()
    if not writer:
        return
    text = to_json(snapshot)
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f"{file.name}-")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(_MAGIC + writer + hashlib.sha256(text).digest())
            out.write(text)
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@lru_cache(maxsize=1)
def _writer() -> bytes:
    """Return a digest of the code that reads files; empty where its source is not at hand, and so not known."""
    digest = hashlib.sha256(f"{pydantic.VERSION} {yaml.__version__}".encode())
    sources = [
        source
        for package in (reconciler.desired, reconciler.kernel)
        for source in sorted(Path(package.__path__[0]).glob("*.py"))
    ]
    for source in sources:
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.digest() if sources else b""
