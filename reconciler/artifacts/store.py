"""Keeps artifacts by their sha256 on disk. What is in the folder is whole, or not there at all."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

from reconciler.kernel.artifact import Artifact
from reconciler.kernel.errors import ReconcilerError

_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1024 * 1024


class ArtifactError(ReconcilerError):
    """An artifact that cannot be read or kept."""

    reference = "artifact"


def describe(file: Path) -> Artifact:
    """Return what a file is known by, without keeping it.

    Raises:
        ArtifactError: the file cannot be read.
    """
    hasher = hashlib.sha256()
    try:
        with file.open("rb") as source:
            while chunk := source.read(_CHUNK):
                hasher.update(chunk)
            return Artifact(hasher.hexdigest(), source.tell(), file.name)
    except OSError as error:
        raise ArtifactError(
            f"the file cannot be read: {error.strerror or error}", where=str(file), hint="check the path"
        ) from error


class ArtifactStore:
    """A folder of artifacts. Everything that was ever deployed stays, for rollbacks and source repairs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, sha256: str) -> Path | None:
        """Return where an artifact lies, or ``None`` where it is not kept or ``sha256`` is not a hash."""
        if _SHA256.fullmatch(sha256) is None:
            return None
        path = self._path(sha256)
        return path if path.is_file() else None

    def add(self, file: Path) -> Artifact:
        """Copy ``file`` in, and return what it is known by. Adding it again changes nothing.

        Raises:
            ArtifactError: the file cannot be read, or the folder not written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return self._copy_in(file)
        except OSError as error:
            raise ArtifactError(
                f"the artifact cannot be kept: {error.strerror or error}",
                where=str(file),
                hint=f"check that the file can be read and that {self._folder} can be written and has room",
            ) from error

    def _copy_in(self, file: Path) -> Artifact:
        hasher = hashlib.sha256()
        size = 0
        handle, temporary = tempfile.mkstemp(dir=self._folder, prefix="incoming-")
        try:
            with os.fdopen(handle, "wb") as out, file.open("rb") as source:
                while chunk := source.read(_CHUNK):
                    hasher.update(chunk)
                    size += len(chunk)
                    out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
            sha256 = hasher.hexdigest()
            target = self._path(sha256)
            target.parent.mkdir(exist_ok=True, mode=0o700)
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return Artifact(sha256, size, file.name)

    def _path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256
