"""Tells the kinds of Windows Installer files apart, and reads what transforms and patches say they are for.

Goes by the class of the file's root storage, never by its name. Applies nothing.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import olefile  # type: ignore[import-untyped]
from pymsi.package import Package
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
    """What a patch is, and the products that it can be applied to.

    ``removable`` says that it can be taken off again. ``name`` is for people, and empty where it says none.
    """

    patch_code: str
    product_codes: tuple[str, ...]
    removable: bool = False
    name: str = ""


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
    can be followed by a list of patch code GUIDs for obsolete patches"), …/msi/template-summary ("a
    semicolon-delimited list of the product codes") and …/msi/uninstallable-patches (AllowRemoval in the
    MsiPatchMetadata table must be 1)
    """

    def take(ole: olefile.OleFileIO, summary: PropertySet) -> Patch:
        _demand(ole, InstallerKind.PATCH)
        targets = _GUID.findall(str(summary.get(_TEMPLATE) or ""))
        said = _metadata(file)
        return Patch(
            normalise_guid(str(summary.get(_REVISION_NUMBER) or "")[:38]),
            tuple(dict.fromkeys(normalise_guid(code) for code in targets)),
            said.get("AllowRemoval") == "1",
            said.get("DisplayName", ""),
        )

    return _told(file, take, "a patch (.msp)")


def _metadata(file: Path) -> dict[str, str]:
    """Return what a patch says of itself besides; empty where it has no such table.

    Source: learn.microsoft.com/windows/win32/msi/msipatchmetadata-table (Company is null for the properties that
    Windows Installer knows)
    """
    with (
        file.open("rb") as handle,
        mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as content,
        Package(content, strict=False) as package,
    ):
        table = package.get("MsiPatchMetadata")
        rows: list[dict[str, Any]] = list(table) if table is not None else []
        return {str(row["Property"]): str(row["Value"]) for row in rows if not row["Company"]}


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
