"""Makes transforms and patches that Windows Installer applies; no free tool does.

A transform is a database of which each table holds changes of rows; a patch is a database with transforms inside.

Source: learn.microsoft.com/windows/win32/msi/database-transforms, …/msi/patch-packages and …/msi/summary-property-
descriptions; how rows and names are stored, from what Wine's msi.dll and msitools read.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.lab.packages import PackageSource
from tests.system.compound_files import Tree, compound_file

_TRANSFORM, _PATCH = (f"000C108{digit}-0000-0000-C000-000000000046" for digit in "26")
_SUMMARY = "\5SummaryInformation"
_SUMMARY_FORMAT = "F29F85E0-4FF9-1068-AB91-08002B27B3D9"
_TEMPLATE, _LAST_AUTHOR, _REVISION, _PAGES, _WORDS, _CHARACTERS = 7, 8, 9, 14, 15, 16
_SAME_PRODUCT = 0x2 << 16
"""Of a transform: it is for one product code.

Source: learn.microsoft.com/windows/win32/msi/character-count-summary
"""

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._"
_TEXT, _NULLABLE, _KEY = 0x0D00, 0x1000, 0x2000


@dataclass(frozen=True, slots=True)
class Change:
    """A text of a row to be another: ``column`` counts from 1, the first one is the row's whole key."""

    table: str
    key: str
    column: int
    text: str


@dataclass
class _Strings:
    """The texts of a database, by their numbers."""

    texts: list[str] = field(default_factory=lambda: [""])

    def number(self, text: str) -> int:
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text)

    def streams(self) -> dict[str, bytes]:
        lengths = b"".join(struct.pack("<HH", len(text), 1 if text else 0) for text in self.texts)
        return {_table("_StringPool"): lengths, _table("_StringData"): "".join(self.texts).encode("ascii")}


def make_transform(file: Path, source: PackageSource, changes: Sequence[Change]) -> Path:
    """Make a transform of a product.

    Args:
        file: where it is put.
        source: the product.
        changes: what it changes.
    """
    file.write_bytes(compound_file(_transform(source, changes), _TRANSFORM))
    return file


def make_patch(
    file: Path, patch_code: str, source: PackageSource, changes: Sequence[Change], metadata: Mapping[str, str]
) -> Path:
    """Make a patch of a product.

    Args:
        file: where it is put.
        patch_code: its code.
        source: the product.
        changes: what it changes.
        metadata: what the patch says of itself, such as ``AllowRemoval``.
    """
    strings = _Strings()
    rows = [("", name, value) for name, value in metadata.items()]
    columns = (("Company", _KEY | _NULLABLE), ("Property", _KEY), ("Value", 0))
    named = "ToPatched"
    patch: Tree = {
        **_database(strings, "MsiPatchMetadata", columns, rows),
        **strings.streams(),
        _SUMMARY: _summary(
            {_TEMPLATE: source.product_code, _LAST_AUTHOR: f":{named};:#{named}", _REVISION: patch_code, _WORDS: 1}
        ),
        named: _transform(source, changes),
        f"#{named}": _transform(source, ()),
    }
    file.write_bytes(compound_file(patch, _PATCH))
    return file


def _transform(source: PackageSource, changes: Sequence[Change]) -> Tree:
    """Return a database of changes: a bit for each column that changes, then the key and the new values."""
    strings = _Strings()
    tables: dict[str, bytes] = {}
    for change in changes:
        bits, numbers = 1 << (change.column - 1), map(strings.number, (change.key, change.text))
        name = _table(change.table)
        tables[name] = tables.get(name, b"") + struct.pack("<HHH", bits, *numbers)
    one = f"{source.product_code}{source.version}"
    summary = {
        _TEMPLATE: ";0",
        _REVISION: f"{one};{one};{source.upgrade_code}",
        _PAGES: 200,
        _CHARACTERS: _SAME_PRODUCT,
    }
    return {**tables, **strings.streams(), _SUMMARY: _summary(summary)}


def _database(
    strings: _Strings, table: str, columns: Sequence[tuple[str, int]], rows: Sequence[Sequence[str]]
) -> dict[str, bytes]:
    """Return the streams of one table of texts. Rows are stored column by column."""
    described = [
        [strings.number(table)] * len(columns),
        [0x8000 | number for number in range(1, len(columns) + 1)],
        [strings.number(name) for name, _ in columns],
        [0x8000 | _TEXT | flags for _, flags in columns],
    ]
    values = [[strings.number(row[number]) for row in rows] for number in range(len(columns))]
    return {
        _table("_Tables"): struct.pack("<H", strings.number(table)),
        _table("_Columns"): _columns(described),
        _table(table): _columns(values),
    }


def _columns(columns: Sequence[Sequence[int]]) -> bytes:
    return b"".join(struct.pack(f"<{len(column)}H", *column) for column in columns)


def _table(name: str) -> str:
    """Return the name of a table's stream: two letters of 64 in each character."""
    pairs = [name[at : at + 2] for at in range(0, len(name), 2)]
    numbers = [[_LETTERS.index(letter) for letter in pair] for pair in pairs]
    packed = [0x3800 + (pair[1] << 6) + pair[0] if len(pair) == 2 else 0x4800 + pair[0] for pair in numbers]
    return "\u4840" + "".join(map(chr, packed))


def _summary(properties: Mapping[int, str | int]) -> bytes:
    """Return a property set of texts and numbers. Source: [MS-OLEPS]."""
    values = b""
    places = b""
    for number, value in properties.items():
        places += struct.pack("<II", number, 8 + 8 * len(properties) + len(values))
        if isinstance(value, int):
            values += struct.pack("<Ii", 3, value)
        else:
            text = value.encode("ascii") + b"\0"
            values += struct.pack("<II", 30, len(text)) + text + b"\0" * (-len(text) % 4)
    section = struct.pack("<II", 8 + len(places) + len(values), len(properties)) + places + values
    head = struct.pack("<HHI16xI16sI", 0xFFFE, 0, 0x00020005, 1, uuid.UUID(_SUMMARY_FORMAT).bytes_le, 48)
    return head + section
