"""Reads what an installer of its own (.exe) says of itself. Never trusts its file name, and never runs it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pefile  # type: ignore[import-untyped]

from reconciler.kernel.errors import ReconcilerError

_SECURITY = pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_SECURITY"]
_VERSIONS = ("ProductVersion", "FileVersion")


class UnreadableProgram(ReconcilerError):
    """A file that is not a program for Windows."""

    reference = "unreadable-program"


@dataclass(frozen=True, slots=True)
class Program:
    """What a program's version resource says, its own words first; all is empty where it has none.

    ``versions`` are what may be its version, the likeliest first: an installer is often versioned apart from what
    it installs. ``is_signed`` says that it has a signature, whatever that is worth.
    """

    product_name: str
    versions: tuple[str, ...]
    is_signed: bool = False


def read_program(file: Path) -> Program:
    """Read the version resource of a program.

    Args:
        file: the program.

    Raises:
        UnreadableProgram: the file cannot be read, or is no program for Windows.

    Source: learn.microsoft.com/windows/win32/menurc/versioninfo-resource
    """
    try:
        with pefile.PE(str(file), fast_load=True) as image:
            image.parse_data_directories([pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_RESOURCE"]])
            strings = dict(_strings(image))
            is_signed = image.OPTIONAL_HEADER.DATA_DIRECTORY[_SECURITY].Size > 0
            versions = [strings.get(name, "") for name in _VERSIONS] + list(_fixed(image))
    except OSError as error:
        what = f"the file cannot be read: {error.strerror or error}"
        raise UnreadableProgram(what, where=str(file), hint="check the path") from error
    except Exception as error:  # the reader raises many kinds of exception on files that are damaged
        raise UnreadableProgram(
            "this is not a program for Windows",
            where=str(file),
            hint="check that it is the right file, and that its download was not cut short",
        ) from error
    said = dict.fromkeys(version for version in versions if version)
    return Program(strings.get("ProductName", ""), tuple(said), is_signed)


def _strings(image: Any) -> Iterator[tuple[str, str]]:
    """Yield the texts of the version resource, of the first language that has them."""
    for block in getattr(image, "FileInfo", ()):
        for part in block:
            for table in getattr(part, "StringTable", ()):
                for name, value in table.entries.items():
                    yield _text(name), _text(value)
                return


def _fixed(image: Any) -> Iterator[str]:
    for part in getattr(image, "VS_FIXEDFILEINFO", ()):
        for kind in _VERSIONS:
            high, low = getattr(part, f"{kind}MS"), getattr(part, f"{kind}LS")
            if high or low:
                yield f"{high >> 16}.{high & 0xFFFF}.{low >> 16}.{low & 0xFFFF}"


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace").strip("\0 ")
