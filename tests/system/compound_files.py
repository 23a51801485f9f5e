"""Writes compound files: the storages and streams that databases of Windows Installer are kept in.

Source: learn.microsoft.com/openspecs/windows_protocols/ms-cfb (MS-CFB), version 3
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

Tree = Mapping[str, "bytes | Tree"]
"""The streams and storages of a storage, by their names."""

_SECTOR, _MINI_SECTOR, _CUTOFF = 512, 64, 4096
_END, _FREE, _FAT_SECTOR, _NONE = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD, 0xFFFFFFFF
_STORAGE, _STREAM, _ROOT = 1, 2, 5
_BLACK = 1
_IN_HEADER = 109


@dataclass
class _Entry:
    name: str
    kind: int
    content: bytes = b""
    left: int = _NONE
    right: int = _NONE
    child: int = _NONE
    start: int = _END
    size: int = 0


@dataclass
class _Chains:
    """Chains of sectors of one size, and the table that says which follows which."""

    sector: int
    data: bytearray = field(default_factory=bytearray)
    following: list[int] = field(default_factory=list)

    def add(self, content: bytes) -> int:
        """Append a chain and return its first sector."""
        if not content:
            return _END
        first, count = len(self.following), -(-len(content) // self.sector)
        self.data += content.ljust(count * self.sector, b"\0")
        self.following += [*range(first + 1, first + count), _END]
        return first


def compound_file(tree: Tree, class_of_root: str) -> bytes:
    """Return a compound file.

    Args:
        tree: what it holds.
        class_of_root: the class id of its root storage.
    """
    entries = [_Entry("Root Entry", _ROOT)]
    entries[0].child = _add_all(entries, tree)
    large, small = _Chains(_SECTOR), _Chains(_MINI_SECTOR)
    for entry in entries[1:]:
        entry.size = len(entry.content)
        if entry.kind == _STREAM:
            entry.start = (small if entry.size < _CUTOFF else large).add(entry.content)
    entries[0].start, entries[0].size = large.add(bytes(small.data)), len(small.data)
    small_table = large.add(_numbers(small.following, _SECTOR // 4))
    directory = large.add(_directory(entries, class_of_root))
    tables = 1
    while tables * _SECTOR // 4 < len(large.following) + tables:
        tables += 1
    assert tables <= _IN_HEADER, "larger than a test needs"
    at = range(len(large.following), len(large.following) + tables)
    table = _numbers([*large.following, *[_FAT_SECTOR] * tables], _SECTOR // 4)
    header = struct.pack(
        "<8s16xHHHHH6xIIIIIIIII",
        bytes.fromhex("d0cf11e0a1b11ae1"),
        *(0x3E, 3, 0xFFFE, 9, 6),
        *(0, tables, directory, 0, _CUTOFF),
        *(small_table, -(-len(small.following) * 4 // _SECTOR), _END, 0),
    )
    return header + _numbers(list(at), _IN_HEADER) + bytes(large.data) + table


def _add_all(entries: list[_Entry], tree: Tree) -> int:
    """Append the entries of a storage, and return which of them is the root of its search tree."""
    numbers = []
    # As MS-CFB orders them: the shorter name comes first.
    for name in sorted(tree, key=lambda name: (len(name), name.upper())):
        held = tree[name]
        numbers.append(len(entries))
        entries.append(_Entry(name, _STREAM, held) if isinstance(held, bytes) else _Entry(name, _STORAGE))
    for number in numbers:
        held = tree[entries[number].name]
        if not isinstance(held, bytes):
            entries[number].child = _add_all(entries, held)
    return _balanced(entries, numbers)


def _balanced(entries: list[_Entry], numbers: list[int]) -> int:
    if not numbers:
        return _NONE
    middle = len(numbers) // 2
    entries[numbers[middle]].left = _balanced(entries, numbers[:middle])
    entries[numbers[middle]].right = _balanced(entries, numbers[middle + 1 :])
    return numbers[middle]


def _directory(entries: list[_Entry], class_of_root: str) -> bytes:
    def packed(entry: _Entry) -> bytes:
        name = entry.name.encode("utf-16-le")
        class_id = uuid.UUID(class_of_root).bytes_le if entry.kind == _ROOT else bytes(16)
        links = (entry.left, entry.right, entry.child)
        first = struct.pack("<64sHBBIII16s", name, len(name) + 2, entry.kind, _BLACK, *links, class_id)
        return first + struct.pack("<I8x8xIQ", 0, entry.start if entry.kind != _STORAGE else 0, entry.size)

    return b"".join(map(packed, entries))


def _numbers(values: list[int], multiple: int) -> bytes:
    filled = values + [_FREE] * (-len(values) % multiple)
    return struct.pack(f"<{len(filled)}I", *filled)
