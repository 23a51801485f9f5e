"""Reads what an MSI says of itself. Never trusts its file name, and never runs anything of it."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymsi.package import Package

from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.identity import InvalidIdentity, normalise_guid, three_fields


class UnreadableMsi(ReconcilerError):
    """A file that is not a Windows Installer package, or one that lacks its identity."""

    reference = "unreadable-msi"


@dataclass(frozen=True, slots=True)
class MsiIdentity:
    """What tells an MSI apart.

    ``upgrade_code`` is ``None`` in the rare package without one: it can be installed but never upgraded.
    ``architecture`` is the platform of the summary's Template (``x64``, ``Intel``, ``Arm64``).
    """

    product_name: str
    version: str
    product_code: str
    package_code: str
    upgrade_code: str | None
    manufacturer: str
    architecture: str


def read_msi(file: Path) -> MsiIdentity:
    """Read the identity of an MSI from its Property table and its summary.

    Args:
        file: the MSI.

    Raises:
        UnreadableMsi: the file cannot be read, is not an MSI, or lacks a ProductCode, PackageCode or version
            that Windows Installer would accept.

    Source: learn.microsoft.com/windows/win32/msi/property-table and …/msi/revision-number-summary
    """
    try:
        with file.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as content:
            properties, revision, template = _read(content)
    except OSError as error:
        raise UnreadableMsi(
            f"the file cannot be read: {error.strerror or error}", where=str(file), hint="check the path"
        ) from error
    except Exception as error:  # the reader raises nine kinds of exception on files that are not MSIs
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
            package_code=normalise_guid(revision),
            upgrade_code=normalise_guid(upgrade_code) if upgrade_code else None,
            manufacturer=properties.get("Manufacturer", ""),
            architecture=template.split(";")[0].strip(),
        )
    except KeyError as error:
        raise UnreadableMsi(f"the package lacks the property {error.args[0]}", where=str(file)) from error
    except InvalidIdentity as error:
        raise UnreadableMsi(error.what, where=str(file), hint=error.hint) from error


def _read(content: mmap.mmap) -> tuple[dict[str, str], str, str]:
    with Package(content, strict=False) as package:
        table = package.get("Property")
        rows: list[dict[str, Any]] = list(table) if table is not None else []
        properties = {str(row["Property"]): str(row["Value"]) for row in rows}
        summary = package.summary
        return properties, summary.uuid() or "", summary.properties.get(_TEMPLATE) or ""


_TEMPLATE = 7
"""PID_TEMPLATE: platform and languages."""
