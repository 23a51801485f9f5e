"""Reads what an MSI says of itself. Never trusts its file name, and never runs anything of it."""

from __future__ import annotations

import datetime
import mmap
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymsi.package import Package
from pymsi.summary import Summary

from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.identity import InvalidIdentity, normalise_guid, three_fields


class UnreadableMsi(ReconcilerError):
    """A file that is not a Windows Installer package, or one that lacks its identity."""

    reference = "unreadable-msi"


@dataclass(frozen=True, slots=True)
class MsiIdentity:
    """What tells an MSI apart.

    ``upgrade_code`` is ``None`` in the rare package without one: it can be installed but never upgraded.
    ``architecture`` is ``x64``, ``x86`` or ``arm64``. ``saved_at`` is when the file was built, in seconds since
    the epoch, by its summary; ``None`` where that does not say.
    """

    product_name: str
    version: str
    product_code: str
    package_code: str
    upgrade_code: str | None
    manufacturer: str
    architecture: str
    saved_at: float | None = None


def read_msi(file: Path) -> MsiIdentity:
    """Read the identity of an MSI from its Property table and its summary.

    Args:
        file: the MSI.

    Raises:
        UnreadableMsi: the file cannot be read, is not an MSI, lacks a ProductCode, PackageCode or version
            that Windows Installer would accept, or is for a platform that Windows no longer runs on.

    Source: learn.microsoft.com/windows/win32/msi/property-table, …/msi/revision-number-summary and
    …/msi/template-summary
    """
    try:
        with file.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as content:
            properties, summary = _read(content)
    except Exception as error:  # the reader raises nine kinds of exception on files that are not MSIs
        if isinstance(error, OSError) and error.errno is not None:
            what = f"the file cannot be read: {error.strerror}"
            raise UnreadableMsi(what, where=str(file), hint="check the path") from error
        raise UnreadableMsi(
            "this is not a Windows Installer package",
            where=str(file),
            hint="an .exe installer often holds the MSI: extract it; or the download was cut short",
        ) from error
    try:
        version = properties["ProductVersion"]
        three_fields(version)
        upgrade_code = properties.get("UpgradeCode")
        return MsiIdentity(
            product_name=properties.get("ProductName", ""),
            version=version,
            product_code=normalise_guid(properties["ProductCode"]),
            package_code=normalise_guid(summary.properties.get(_REVISION_NUMBER) or ""),
            upgrade_code=normalise_guid(upgrade_code) if upgrade_code else None,
            manufacturer=properties.get("Manufacturer", ""),
            architecture=_architecture(summary.properties.get(_TEMPLATE) or "", file),
            saved_at=_saved_at(summary),
        )
    except KeyError as error:
        raise UnreadableMsi(f"the package lacks the property {error.args[0]}", where=str(file)) from error
    except InvalidIdentity as error:
        raise UnreadableMsi(error.what, where=str(file), hint=error.hint) from error


def _read(content: mmap.mmap) -> tuple[dict[str, str], Summary]:
    with Package(content, strict=False) as package:
        table = package.get("Property")
        rows: list[dict[str, Any]] = list(table) if table is not None else []
        return {str(row["Property"]): str(row["Value"]) for row in rows}, package.summary


def _architecture(template: str, file: Path) -> str:
    platform = re.split("[;,]", template, maxsplit=1)[0].strip().lower()
    if platform not in _ARCHITECTURES:
        raise UnreadableMsi(
            f"the package is for {platform}, which is none of x86, x64 and Arm64",
            where=str(file),
            hint="ask its vendor for one that is",
        )
    return _ARCHITECTURES[platform]


def _saved_at(summary: Summary) -> float | None:
    for identifier in (_LAST_SAVED, _CREATED):
        moment = summary.properties.get(identifier)
        if isinstance(moment, datetime.datetime):
            return moment.timestamp()
    return None


_TEMPLATE = 7
"""PID_TEMPLATE: platform and languages."""

_REVISION_NUMBER = 9
"""PID_REVNUMBER: of a package, its PackageCode."""

_CREATED = 12
_LAST_SAVED = 13

_ARCHITECTURES = {"": "x86", "intel": "x86", "x64": "x64", "amd64": "x64", "arm64": "arm64"}
"""By the platform of the Template; an empty one stands for Intel."""
