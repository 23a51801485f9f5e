"""What a package of ours is declared to be before it is built, and what was built of it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

from reconciler.kernel.identity import normalise_guid

SOURCES = Path(__file__).with_name("sources")
"""The folder of the example packages' sources."""


@dataclass(frozen=True, slots=True)
class PackageSource:
    """One release of a package, to be built from a folder of sources.

    The codes are fixed here and not made up by the builder: a PackageCode names one file for ever. ``sources``
    holds ``product.wxs`` and the files it packs; in those, ``@VERSION@`` stands for the version. ``file_name`` is
    the MSI's own name: where releases share a ProductCode they must share it too.

    Source: learn.microsoft.com/windows/win32/msi/changing-the-product-code
    """

    package: str
    product_name: str
    manufacturer: str
    version: str
    product_code: str
    package_code: str
    upgrade_code: str
    sources: Path
    file_name: str


@dataclass(frozen=True, slots=True)
class BuiltPackage:
    """A release and the MSI file that was built of it."""

    source: PackageSource
    path: Path


def plain_package(package: str, version: str) -> PackageSource:
    """Declare a minimal 64-bit product, whose codes follow from its name and version.

    Args:
        package: its name, which is its product name too.
        version: its product version.
    """
    family = uuid.uuid5(uuid.NAMESPACE_DNS, f"{package}.plain.packages.reconciler.invalid")
    return PackageSource(
        package=package,
        product_name=package,
        manufacturer="Reconciler Examples",
        version=version,
        product_code=normalise_guid(str(uuid.uuid5(family, f"product {version}"))),
        package_code=normalise_guid(str(uuid.uuid5(family, f"package {version}"))),
        upgrade_code=normalise_guid(str(family)),
        sources=SOURCES / "plain",
        file_name=f"{package}-{version}.msi",
    )
