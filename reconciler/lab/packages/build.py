"""Builds MSI files of declared identity from the sources beside this file. Installs nothing."""

from __future__ import annotations

import os
import tempfile
import uuid
from pathlib import Path

from reconciler.kernel.identity import normalise_guid
from reconciler.lab.packages.declarations import BuiltPackage, PackageSource
from reconciler.packaging.wixl import FIXED_TIME, MsiDeclaration, build_msi

_WXS = "product.wxs"


def build(source: PackageSource, target: Path) -> BuiltPackage:
    """Build one release as ``target/<package>/<version>/<file name>``; a file that is there is replaced.

    Raises:
        PackagingUnavailable: wixl or msitools are missing.
        PackageBuildFailed: wixl refused the sources, or what it built is not what was declared.
    """
    path = target / source.package / source.version / source.file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the target's folder, so that the finished file can be put in place by renaming.
    with tempfile.TemporaryDirectory(prefix=".build-", dir=path.parent) as scratch:
        raw = Path(scratch, source.file_name)
        _stage(source, raw.parent / "files")
        build_msi(_declare(source), source.sources / _WXS, _definitions(source), raw)
        raw.replace(path)
    return BuiltPackage(source, path)


def _stage(source: PackageSource, folder: Path) -> None:
    """Write the files that the MSI packs, of this version and all of one time."""
    folder.mkdir()
    for origin in sorted(source.sources.iterdir()):
        if origin.is_file() and origin.name != _WXS:
            staged = folder / origin.name
            staged.write_bytes(origin.read_bytes().replace(b"@VERSION@", source.version.encode()))
            os.utime(staged, (FIXED_TIME, FIXED_TIME))


def _declare(source: PackageSource) -> MsiDeclaration:
    return MsiDeclaration(
        f"{source.package} {source.version}",
        source.version,
        source.product_code,
        source.package_code,
        source.upgrade_code,
    )


def _definitions(source: PackageSource) -> dict[str, str]:
    component = normalise_guid(str(uuid.uuid5(uuid.UUID(source.upgrade_code), "component")))
    return {
        "PRODUCT_NAME": source.product_name,
        "MANUFACTURER": source.manufacturer,
        "COMPONENT": component.strip("{}"),
        "FILES": "files",
    }
