"""Fetches artifacts from where the catalog says that they can be had. Takes nothing but the very bytes asked for.

Sources are named by whoever can propose a commit: nothing of what they answer is shown or kept unless it is the
artifact.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import httpx2

from reconciler.kernel.artifact import Artifact
from reconciler.kernel.errors import ReconcilerError

SILENCE = 30.0
"""Seconds that a server may take to connect, and between two parts of an answer."""

SLOWEST = 32 * 1024
"""Bytes a second that a source must bring over its whole length, so that none can hold a check up for ever."""

_CHUNK = 1024 * 1024


class CannotFetch(ReconcilerError):
    """An artifact that a source does not have, or not as it should be."""

    reference = "cannot-fetch"


def fetch(source: str, artifact: Artifact, target: Path) -> None:
    """Copy an artifact from a source into a file, which is there only once it is whole and right.

    Args:
        source: an http or https address, or the full path of a file.
        artifact: the file that is wanted: no more than its size is read, and its sha256 must be right.
        target: where to put it; its folder must exist.

    Raises:
        CannotFetch: the source cannot be reached, or has something else.
    """
    partial = target.with_name(f"{target.name}.part")
    try:
        with _opened(source) as chunks, partial.open("wb") as out:
            _copy(chunks, artifact, source, out)
        partial.replace(target)
    except OSError as error:
        raise CannotFetch(f"cannot be read: {error.strerror or error}", where=source) from error
    except httpx2.HTTPStatusError as error:
        raise CannotFetch(f"the server answers {error.response.status_code}", where=source) from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise CannotFetch(f"cannot be reached: {error or type(error).__name__}", where=source) from error
    finally:
        partial.unlink(missing_ok=True)


def _copy(chunks: Iterable[bytes], artifact: Artifact, source: str, out: BinaryIO) -> None:
    hasher = hashlib.sha256()
    size = 0
    latest = time.monotonic() + SILENCE + artifact.size / SLOWEST
    for chunk in chunks:
        size += len(chunk)
        if time.monotonic() > latest:
            raise CannotFetch(f"brings less than {SLOWEST // 1024} KiB/s", where=source)
        if size > artifact.size:
            raise CannotFetch(f"has more than the {artifact.size} bytes that the catalog names", where=source)
        hasher.update(chunk)
        out.write(chunk)
    if size < artifact.size:
        raise CannotFetch(f"has {size} bytes; the catalog names {artifact.size}", where=source)
    if hasher.hexdigest() != artifact.sha256:
        raise CannotFetch("has another sha256 than the catalog names", where=source)


@contextmanager
def _opened(source: str) -> Iterator[Iterable[bytes]]:
    if source.startswith(("http://", "https://")):
        with (
            httpx2.Client(timeout=SILENCE, follow_redirects=True) as client,
            client.stream("GET", source, headers={"Accept-Encoding": "identity"}) as answer,
        ):
            answer.raise_for_status()
            # As sent: unpacking would let a few bytes become many before they are counted.
            yield answer.iter_raw()
        return
    # Opened without waiting: a pipe that nobody writes to would hold everything up.
    with os.fdopen(os.open(source, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise CannotFetch("is not a plain file", where=source)
        yield iter(lambda: file.read(_CHUNK), b"")
