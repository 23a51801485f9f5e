"""Tells the kinds of Windows Installer files apart, and reads what transforms and patches say they are for.

Goes by the class of the file's root storage, never by its name. Applies nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypeVar

import olefile  # type: ignore[import-untyped]
from pymsi.propset import PropertySet

from reconciler.artifacts.msi_file import UnreadableMsi
from reconciler.kernel.identity import normalise_guid

T = TypeVar("T")

_SUMMARY_STREAM = "\x05SummaryInformation"
_TEMPLATE = 7
_REVISION_NUMBER = 9
_GUID = re.compile(r"\{[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}")


class InstallerKind(Enum):
    """The kinds, each with the class that its root storage has.

    Source: devblogs.microsoft.com/setup/identifying-windows-installer-file-types
    """

    PACKAGE = "000C1084-0000-0000-C000-000000000046"
    TRANSFORM = "000C1082-0000-0000-C000-000000000046"
    PATCH = "000C1086-0000-0000-C000-000000000046"


@dataclass(frozen=True, slots=True)
class Transform:
    """What a transform says it was made from. Codes are ``None`` where it does not say."""

    product_code: str | None
    upgrade_code: str | None


@dataclass(frozen=True, slots=True)
class Patch:
    """What a patch is, and the products that it can be applied to."""

    patch_code: str
    product_codes: tuple[str, ...]


def kind_of(file: Path) -> InstallerKind | None:
    """Return what kind of Windows Installer file this is; ``None`` where it is none, or cannot be read."""
    try:
        return _read(file, lambda ole, _summary: InstallerKind(str(ole.root.clsid).upper()))
    except UnreadableMsi:
        return None


def read_transform(file: Path) -> Transform:
    """Read what a transform was made from.

    Raises:
        UnreadableMsi: the file cannot be read, or is no transform.

    Source: learn.microsoft.com/windows/win32/msi/revision-number-summary ("Original-Product-Code
    Original-Product-Version ; New-Product Code New-Product-Version; Upgrade-Code")
    """

    def take(ole: olefile.OleFileIO, summary: PropertySet) -> Transform:
        _demand(ole, InstallerKind.TRANSFORM)
        parts = str(summary.get(_REVISION_NUMBER) or "").split(";")
        codes = [_GUID.search(part) for part in (*parts, "", "", "")[:3]]
        original, _new, family = (normalise_guid(found.group()) if found else None for found in codes)
        return Transform(original, family)

    return _told(file, take, "a transform (.mst)")


def read_patch(file: Path) -> Patch:
    """Read what a patch is, and what for.

    Raises:
        UnreadableMsi: the file cannot be read, or is no patch.

    Source: learn.microsoft.com/windows/win32/msi/revision-number-summary ("the GUID patch code for the patch …
    can be followed by a list of patch code GUIDs for obsolete patches") and …/msi/template-summary ("a
    semicolon-delimited list of the product codes")
    """

    def take(ole: olefile.OleFileIO, summary: PropertySet) -> Patch:
        _demand(ole, InstallerKind.PATCH)
        targets = _GUID.findall(str(summary.get(_TEMPLATE) or ""))
        return Patch(
            normalise_guid(str(summary.get(_REVISION_NUMBER) or "")[:38]),
            tuple(normalise_guid(code) for code in targets),
        )

    return _told(file, take, "a patch (.msp)")


def _told(file: Path, take: Callable[[olefile.OleFileIO, PropertySet], T], what: str) -> T:
    try:
        return _read(file, take)
    except UnreadableMsi as error:
        raise UnreadableMsi(
            f"this is not {what} of Windows Installer" if error.hint is None else error.what,
            where=str(file),
            hint=error.hint or "check that it is the right file, and that its download was not cut short",
        ) from error


def _demand(ole: olefile.OleFileIO, kind: InstallerKind) -> None:
    if str(ole.root.clsid).upper() != kind.value:
        raise ValueError(kind)


def _read(file: Path, take: Callable[[olefile.OleFileIO, PropertySet], T]) -> T:
    try:
        with file.open("rb") as handle, olefile.OleFileIO(handle) as ole:
            return take(ole, PropertySet(ole.openstream(_SUMMARY_STREAM)))  # type: ignore[no-untyped-call]
    except OSError as error:
        if error.errno is not None:
            what = f"the file cannot be read: {error.strerror or error}"
            raise UnreadableMsi(what, where=str(file), hint="check the path") from error
        raise UnreadableMsi("not an OLE file", where=str(file)) from error
    except Exception as error:  # the readers raise many kinds of exception on files that are damaged
        raise UnreadableMsi("not a Windows Installer file", where=str(file)) from error
