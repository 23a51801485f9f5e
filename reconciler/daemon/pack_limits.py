"""Checks the sizes in a pushed pack before git unpacks it: streaming, in constant memory.

A pack of a few kilobytes can stand for gigabytes, and git allocates whatever size an object claims. The format is
that of gitformat-pack(5). Whether the content is sound is for git to say.
"""

from __future__ import annotations

import mmap
import zlib
from dataclasses import dataclass
from typing import IO

MOST_OBJECTS = 200_000
"""Objects of one push: the whole history of a large repository."""

_OFS_DELTA, _REF_DELTA = 6, 7
_KINDS = (1, 2, 3, 4, _OFS_DELTA, _REF_DELTA)
_CHUNK = 256 * 1024
_HEAD = 12


class PackRefused(Exception):
    """A pack that is not unpacked. Its text is for the person who pushed."""


@dataclass(frozen=True, slots=True)
class PackLimits:
    """Bytes that one object may have, and all of a pack once unpacked."""

    object: int
    unpacked: int


def check_pack(file: IO[bytes], start: int, limits: PackLimits) -> None:
    """Check the pack that begins at byte ``start`` of a file and fills the rest of it; nothing there is fine.

    Raises:
        PackRefused: an object, or all of them, are too large, there are too many, or this is no pack.
    """
    file.seek(0, 2)
    if file.tell() == start:
        return
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        _Scan(content, start, limits).run()


class _Scan:
    def __init__(self, content: mmap.mmap, start: int, limits: PackLimits) -> None:
        self._content = content
        self._at = start
        self._limits = limits
        self._unpacked = 0

    def run(self) -> None:
        head = self._content[self._at : self._at + _HEAD]
        if len(head) < _HEAD or head[:4] != b"PACK":
            raise PackRefused("this is no pack")
        count = int.from_bytes(head[8:12], "big")
        if count > MOST_OBJECTS:
            raise PackRefused(f"the push has {count} objects; at most {MOST_OBJECTS} are allowed")
        self._at += _HEAD
        for _ in range(count):
            self._object()

    def _object(self) -> None:
        first = self._byte()
        kind, size, shift = first >> 4 & 7, first & 15, 4
        if kind not in _KINDS:
            raise PackRefused("the pack is damaged")
        more = first & 128
        while more:
            more = self._byte()
            size |= (more & 127) << shift
            shift += 7
            more &= 128
            if shift > 64:
                raise PackRefused("this is no pack")
        delta = kind in (_OFS_DELTA, _REF_DELTA)
        self._count(size)
        if kind == _OFS_DELTA:
            while self._byte() & 128:
                pass
        elif kind == _REF_DELTA:
            self._at += 20
        start = self._inflate(size)
        if delta:
            self._count(_result_size(start))

    def _count(self, size: int) -> None:
        if size > self._limits.object:
            raise PackRefused(
                f"the push has a file or folder of {size} bytes; at most {self._limits.object} are allowed"
            )
        self._unpacked += size
        if self._unpacked > self._limits.unpacked:
            raise PackRefused(f"the push has more than {self._limits.unpacked} bytes once unpacked")

    def _inflate(self, size: int) -> bytes:
        """Go past an object's content, and return its first bytes."""
        unpacker = zlib.decompressobj()
        start, found = b"", 0
        fed = b""
        while not unpacker.eof:
            fed = unpacker.unconsumed_tail or self._content[self._at : self._at + _CHUNK]
            if not fed:
                raise PackRefused("the pack is cut off")
            if not unpacker.unconsumed_tail:
                self._at += len(fed)
            try:
                out = unpacker.decompress(fed, _CHUNK)
            except zlib.error as error:
                raise PackRefused("the pack is damaged") from error
            found += len(out)
            if found > size:
                raise PackRefused("the pack is damaged: an object is longer than it says")
            if len(start) < 32:
                start += out[:32]
        self._at -= len(unpacker.unused_data)
        return start

    def _byte(self) -> int:
        try:
            byte = self._content[self._at]
        except IndexError as error:
            raise PackRefused("the pack is cut off") from error
        self._at += 1
        return byte


def _result_size(delta: bytes) -> int:
    """Return how large the object is that a delta makes: the second of the two numbers that it begins with."""
    at = size = 0
    for _ in range(2):
        size = shift = 0
        while True:
            if at >= len(delta) or shift > 64:
                raise PackRefused("the pack is damaged")
            byte = delta[at]
            at += 1
            size |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                break
    return size
