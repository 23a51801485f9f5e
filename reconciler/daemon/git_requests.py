"""Reads what git clients send: bodies, unpacked and within bounds, and what a push wants to move. Runs no git."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from starlette.requests import Request

from reconciler.store.pushes import RefUpdate

MOST_REFS = 200
"""Branches that may be pushed at once."""

_BODY_SECONDS = 600.0
_UPDATE = re.compile(rb"([0-9a-f]{40}) ([0-9a-f]{40}) ([^\0\n]{1,1024})")


class RequestRefused(Exception):
    """A request that is answered with a status and a few words."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


@dataclass(frozen=True, slots=True)
class PushRequest:
    """What a push wants to move, what its client understands, and at which byte of its body the pack begins."""

    updates: tuple[RefUpdate, ...]
    capabilities: frozenset[str]
    pack_at: int


async def spool(request: Request, longest: int, folder: Path) -> IO[bytes]:
    """Return a request's body, unpacked, in a file that is gone when it is closed.

    Args:
        request: the request.
        longest: bytes that the body may have, once unpacked.
        folder: where the file is; on the disk that is watched.

    Raises:
        RequestRefused: it is too long, or packed in another way.
    """
    encoding = request.headers.get("content-encoding", "identity")
    if encoding not in ("identity", "gzip", "x-gzip"):
        raise RequestRefused(415, f"the content is packed by {encoding[:40]!r}; use gzip")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared[:20]) > longest:
        raise RequestRefused(413, f"more than {longest} bytes in one request")
    unpacker = None if encoding == "identity" else zlib.decompressobj(16 + zlib.MAX_WBITS)
    file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by who asked
    size = sent = 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                sent += len(chunk)
                if sent > longest or (unpacker is not None and unpacker.eof and chunk):
                    raise RequestRefused(413, f"more than {longest} bytes in one request, or more than one gzip")
                content = chunk if unpacker is None else unpacker.decompress(chunk, longest + 1 - size)
                size += len(content)
                if size > longest or (unpacker is not None and (unpacker.unconsumed_tail or unpacker.unused_data)):
                    raise RequestRefused(413, f"more than {longest} bytes in one request")
                await asyncio.to_thread(file.write, content)
    except zlib.error as error:
        file.close()
        raise RequestRefused(400, "the content is no gzip") from error
    except TimeoutError as error:
        file.close()
        raise RequestRefused(408, "the content did not arrive in time") from error
    except BaseException:
        file.close()
        raise
    if unpacker is not None and not unpacker.eof:
        file.close()
        raise RequestRefused(400, "the content is cut off")
    rewind(file)
    return file


def rewind(file: IO[bytes]) -> None:
    """Go to the beginning, as git will see it that gets the file: Python's own seek may stay in its buffer."""
    file.flush()
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    file.seek(0)


def read_push(body: IO[bytes]) -> PushRequest:
    """Return what a push wants: the packets before the first flush (gitprotocol-pack(5)).

    Raises:
        RequestRefused: it is no push.
    """
    found: list[RefUpdate] = []
    capabilities: frozenset[str] = frozenset()
    while (line := _read_packet(body)) is not None:
        match = _UPDATE.match(line)
        if match is not None:
            old, new, ref = (part.decode("utf-8", "replace") for part in match.groups())
            if not found:
                capabilities = frozenset(line[match.end() :].decode("utf-8", "replace").strip("\0\n ").split())
            found.append(RefUpdate(ref, old, new))
        elif not line.startswith(b"shallow "):
            raise RequestRefused(400, "this is no push")
        if len(found) > MOST_REFS:
            raise RequestRefused(400, f"more than {MOST_REFS} branches at once")
    pack_at = body.tell()
    rewind(body)
    return PushRequest(tuple(found), capabilities, pack_at)


def _read_packet(body: IO[bytes]) -> bytes | None:
    """Return the next packet; ``None`` for a flush."""
    head = body.read(4)
    try:
        length = int(head, 16)
    except ValueError as error:
        raise RequestRefused(400, "this is no push") from error
    if length == 0:
        return None
    content = body.read(length - 4) if length > 4 else b""
    if len(head) != 4 or len(content) != length - 4 or not content:
        raise RequestRefused(400, "this is no push")
    return content


def packet(content: bytes) -> bytes:
    """Return a packet of the protocol (gitprotocol-common(5))."""
    return b"%04x" % (len(content) + 4) + content
