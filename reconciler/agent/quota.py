"""Keeps the folder of artifacts within its bound: those unused for longest go first, those still needed never."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterable, Set
from pathlib import Path

from reconciler.kernel.assignment import Assignment
from reconciler.kernel.observation import InstalledProduct
from reconciler.kernel.releases import MsiRelease

_IN_USE = 3600.0
"""Seconds for which a file that was handed out is kept: a step may not have come to it yet."""

_PART = ".part"
_log = logging.getLogger(__name__)


class Quota:
    """The bound of one folder of artifacts, in which each lies in a folder, or a part, named by its hash.

    Args:
        folder: the artifacts' folder.
        limit: bytes that may be kept; ``None`` for any number.
    """

    def __init__(self, folder: Path, limit: int | None) -> None:
        self._folder = folder
        self._limit = limit
        self._used: dict[str, float] = {}

    def use(self, sha256: str) -> None:
        """Note that an artifact is used now; the note outlives a restart as the time of its folder."""
        self._used[sha256] = time.monotonic()
        (self._folder / sha256).touch()

    def make_room(self, size: int, needed: Set[str]) -> None:
        """Delete what must go for ``size`` further bytes to come.

        Args:
            size: bytes that are about to be kept.
            needed: the hashes of artifacts that must stay, whatever the bound says.

        Raises:
            OSError: the folder cannot be read.
        """
        if self._limit is None or not self._folder.is_dir():
            return
        now = time.monotonic()
        kept = {entry: _size(entry) for entry in self._folder.iterdir()}
        excess = sum(kept.values()) + size - self._limit
        for entry in sorted(kept, key=lambda entry: (entry.suffix != _PART, entry.stat().st_mtime)):
            if excess <= 0:
                return
            name = entry.name.removesuffix(_PART)
            if name in needed or now - self._used.get(name, -_IN_USE) < _IN_USE:
                continue
            _log.info("%s goes: the files kept here may have %d MB", entry.name, self._limit // 1_000_000)
            shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)
            excess -= kept[entry]
        if excess > 0:
            _log.warning("the files still needed take %d bytes more than cacheMegabytes allows", excess)


def needed_artifacts(assignment: Assignment | None, products: Iterable[InstalledProduct]) -> Set[str]:
    """Return the hashes of the artifacts that a host needs: for what is wanted, and for putting back what it has.

    Args:
        assignment: what the host should have.
        products: what is installed. What is no product cannot be told by them, and counts as installed.
    """
    installed = {product.product_code for product in products}
    return {
        artifact.sha256
        for goal in (assignment.goals if assignment is not None else ())
        for release in goal.releases
        if release is goal.target or not isinstance(release, MsiRelease) or release.product_code in installed
        for artifact in release.artifacts
    }


def _size(entry: Path) -> int:
    return sum(file.stat().st_size for file in (entry.iterdir() if entry.is_dir() else (entry,)))
