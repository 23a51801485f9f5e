"""What a simulated Windows machine needs to know of a package: read from a real MSI, or from a stand-in for one.

A stand-in is a small JSON file that says so; it exists for machines where no MSI can be built.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from reconciler.kernel.identity import InvalidIdentity, normalise_guid, three_fields
from reconciler.kernel.wire import WireError, decode, encode

_MSI_MAGIC = b"\xd0\xcf\x11\xe0"
_FORMAT = "simulated-msi"


class NotAPackage(Exception):
    """The file is neither an MSI nor a stand-in for one."""


@dataclass(frozen=True, slots=True)
class SimulatedPackage:
    """What tells a package apart. ``refuses`` is the text of a launch condition that never holds, or empty."""

    product_code: str
    package_code: str
    upgrade_code: str | None
    version: str
    name: str
    refuses: str = ""


def write_simulated_msi(package: SimulatedPackage) -> bytes:
    """Return the content of a stand-in for an MSI."""
    return (json.dumps({"format": _FORMAT, **encode(package)}, indent=2) + "\n").encode("utf-8")


def read_package(file: Path) -> SimulatedPackage:
    """Read a package from its file: what the file says counts, not what anybody says of it.

    Raises:
        OSError: the file cannot be read.
        NotAPackage: it is neither an MSI nor a stand-in for one.
    """
    content = file.read_bytes()
    if content.startswith(_MSI_MAGIC):
        return _read_msi(file)
    try:
        data = json.loads(content)
        if not isinstance(data, dict) or data.get("format") != _FORMAT:
            raise NotAPackage(str(file))
        package = decode(SimulatedPackage, data)
        normalise_guid(package.product_code)
        three_fields(package.version)
    except (ValueError, WireError, InvalidIdentity) as error:
        raise NotAPackage(str(file)) from error
    return package


def _read_msi(file: Path) -> SimulatedPackage:
    from reconciler.artifacts.msi_file import UnreadableMsi, read_msi

    try:
        identity = read_msi(file)
    except UnreadableMsi as error:
        raise NotAPackage(str(file)) from error
    return SimulatedPackage(
        identity.product_code,
        identity.package_code,
        identity.upgrade_code,
        identity.version,
        identity.product_name,
    )
