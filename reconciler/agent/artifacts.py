"""Keeps installer files on the host, by their hash. Hands out none whose hash and signer were not just checked."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
from collections.abc import Callable, Set
from contextlib import suppress
from pathlib import Path

from reconciler.agent.connection import ServerUnavailable
from reconciler.agent.machine import ArtifactRefused, ArtifactUnavailable, Signatures
from reconciler.agent.pace import OutsideWindow, Pace
from reconciler.agent.quota import Quota
from reconciler.agent.signers import demand_signer
from reconciler.agent.transport import Server, ServerRefused
from reconciler.kernel.artifact import Artifact

_TRIES = 3
_HASHED_AT_ONCE = 256 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PLAIN_NAME = re.compile(r'[^\x00-\x1f<>:"/\\|?*]{1,150}')
_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?")


class ArtifactCache:
    """The files of one host, each in a folder named by its hash, under the name its vendor gave it.

    Args:
        folder: where they are kept.
        connect: gives the server that they are fetched from, on a connection of its own.
        signatures: checks who signed them.
        pace: the bandwidth and the hours of downloads.
        limit: bytes that may be kept; ``None`` for any number.
        needed: gives the hashes of the files that must be kept whatever the limit says.
    """

    def __init__(
        self,
        folder: Path,
        connect: Callable[[], Server],
        signatures: Signatures,
        pace: Pace | None = None,
        limit: int | None = None,
        needed: Callable[[], Set[str]] = frozenset,
    ) -> None:
        self._folder = folder
        self._connect = connect
        self._signatures = signatures
        self._pace = pace or Pace()
        self._quota = Quota(folder, limit)
        self._needed = needed

    def fetch(self, artifact: Artifact) -> str:
        """Return the path of the artifact, fetched from where a former try was cut off, hash and signer checked.

        Raises:
            ArtifactRefused: what the server has under this hash is something else, the name is no plain name, or
                another than the pinned one signed it. Such a file is kept: the pin may be what is wrong.
            ArtifactUnavailable: the server is away, lacks it, the disk has no room, or files may not be fetched
                at this hour.
        """
        _check(artifact)
        path = self._have(artifact)
        demand_signer(self._signatures, artifact, path)
        return path

    def fetch_again(self, artifact: Artifact) -> str:
        """Delete the artifact and fetch it anew: the installer could not use it.

        Raises:
            ArtifactRefused, ArtifactUnavailable: as with `fetch`.
        """
        _check(artifact)
        with suppress(FileNotFoundError):
            shutil.rmtree(self._folder / artifact.sha256)
        return self.fetch(artifact)

    def _have(self, artifact: Artifact) -> str:
        """Return the path of the artifact, fetched if need be, its hash just checked."""
        kept = self._folder / artifact.sha256 / artifact.file_name
        try:
            if kept.is_file():
                if _hash(kept).hexdigest() == artifact.sha256:
                    self._quota.use(artifact.sha256)
                    return str(kept)
                kept.unlink()
            self._pace.check_window()
            self._quota.make_room(artifact.size, self._needed() | {artifact.sha256})
            kept.parent.mkdir(parents=True, exist_ok=True)
            part = self._folder / f"{artifact.sha256}.part"
            self._download(artifact, part)
            part.replace(kept)
            self._quota.use(artifact.sha256)
        except OutsideWindow as error:
            raise ArtifactUnavailable(error.what, where=artifact.file_name) from error
        except OSError as error:
            raise ArtifactUnavailable(
                f"the file cannot be kept: {error.strerror or error}",
                where=artifact.file_name,
                hint="is the disk full?",
            ) from error
        return str(kept)

    def _download(self, artifact: Artifact, part: Path) -> None:
        server = self._connect()
        try:
            self._download_from(server, artifact, part)
        finally:
            server.close()

    def _download_from(self, server: Server, artifact: Artifact, part: Path) -> None:
        problem = ""
        for _ in range(_TRIES):
            resumed = part.exists()
            try:
                found = self._continue(artifact, part, server)
            except ServerUnavailable as error:
                problem = str(error)
                continue
            except ServerRefused as error:
                raise ArtifactUnavailable(error.what, where=artifact.file_name) from error
            if found == artifact.sha256:
                return
            part.unlink()
            if not resumed:
                raise ArtifactRefused(
                    f"the file's sha256 is {found}, the catalog says {artifact.sha256}; nothing was run",
                    where=artifact.file_name,
                    hint="import the file anew, or find out who changed it",
                )
            # The older part may have been torn by a power cut: only a fresh download proves the server wrong.
        raise ArtifactUnavailable(f"the file could not be fetched: {problem}", where=artifact.file_name)

    def _continue(self, artifact: Artifact, part: Path, server: Server) -> str:
        """Fetch what is missing of ``part``; return the sha256 of the whole, or of what is too long already."""
        digest = _hash(part) if part.exists() else hashlib.sha256()
        size = part.stat().st_size if part.exists() else 0
        if size >= artifact.size > 0:
            return digest.hexdigest()
        with server.artifact(artifact.sha256, size) as response:
            if response.status == 416:
                response.read()
                return digest.hexdigest()
            if response.status == 200:
                digest, size = hashlib.sha256(), 0
            with part.open("r+b" if size else "wb") as out:
                out.seek(size)
                while chunk := _read(response, self._pace.chunk):
                    out.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
                    if size > artifact.size:
                        return digest.hexdigest()
                    self._pace.check_window()
                    self._pace.wait(len(chunk))
                out.flush()
                os.fsync(out.fileno())
        if size < artifact.size and response.length:
            raise ServerUnavailable(f"the server broke off after {size} of {artifact.size} bytes")
        return digest.hexdigest()


def _read(response: http.client.HTTPResponse, most: int) -> bytes:
    """Read what is there: `read` would hold a whole chunk back, and lose it when the connection breaks."""
    return response.read1(most)


def _hash(path: Path) -> hashlib._Hash:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_HASHED_AT_ONCE):
            digest.update(chunk)
    return digest


def _check(artifact: Artifact) -> None:
    """The name and the hash become a path on this host, so neither may lead out of the folder.

    Source: learn.microsoft.com/windows/win32/fileio/naming-a-file
    """
    name = artifact.file_name
    if _SHA256.fullmatch(artifact.sha256) is None:
        raise ArtifactRefused(f"{artifact.sha256!r} is not a sha256", where=repr(name))
    if _PLAIN_NAME.fullmatch(name) is None or name.endswith((" ", ".")) or _DEVICE.fullmatch(name) is not None:
        raise ArtifactRefused(f"{name!r} is not a plain file name", hint="rename the file and import it anew")
