"""Builds MSI files of declared identity with wixl, and checks each against its declaration.

Equal sources and one version of wixl give files that are equal bit by bit.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import uuid
from pathlib import Path

from reconciler.kernel.identity import normalise_guid
from reconciler.lab.errors import PackageBuildFailed
from reconciler.lab.packages.declarations import BuiltPackage, PackageSource
from reconciler.lab.packages.summary import with_fixed_summary
from reconciler.lab.requirements import require_builder

_FIXED_TIME = 1_704_067_200
"""2024-01-01 00:00 UTC, in seconds: the time of every packed file and of the summary information."""

_WXS = "product.wxs"
_BUILD_SECONDS = 60
_REVISION_LABEL = "Revision number (UUID): "


def build(source: PackageSource, target: Path) -> BuiltPackage:
    """Build one release as ``target/<package>/<version>/<file name>``; a file that is there is replaced.

    Raises:
        LabUnavailable: wixl or msitools are missing.
        PackageBuildFailed: wixl refused the sources, or what it built is not what was declared.
    """
    require_builder()
    path = target / source.package / source.version / source.file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the target's folder, so that the finished file can be put in place by renaming.
    with tempfile.TemporaryDirectory(prefix=".build-", dir=path.parent) as scratch:
        raw = Path(scratch, source.file_name)
        _stage(source, raw.parent / "files")
        _run_wixl(source, raw)
        raw.write_bytes(with_fixed_summary(raw.read_bytes(), source.package_code, _FIXED_TIME))
        _check(source, raw)
        raw.replace(path)
    return BuiltPackage(source, path)


def _stage(source: PackageSource, folder: Path) -> None:
    """Write the files that the MSI packs, of this version and all of one time."""
    folder.mkdir()
    for origin in sorted(source.sources.iterdir()):
        if origin.is_file() and origin.name != _WXS:
            staged = folder / origin.name
            staged.write_bytes(origin.read_bytes().replace(b"@VERSION@", source.version.encode()))
            os.utime(staged, (_FIXED_TIME, _FIXED_TIME))


def _run_wixl(source: PackageSource, output: Path) -> None:
    component = normalise_guid(str(uuid.uuid5(uuid.UUID(source.upgrade_code), "component")))
    definitions = {
        "PRODUCT_CODE": source.product_code.strip("{}"),
        "UPGRADE_CODE": source.upgrade_code.strip("{}"),
        "PRODUCT_NAME": source.product_name,
        "MANUFACTURER": source.manufacturer,
        "VERSION": source.version,
        "COMPONENT": component.strip("{}"),
        "FILES": "files",  # relative to the output's folder: wixl takes no absolute path here
    }
    defined = [word for name, value in definitions.items() for word in ("--define", f"{name}={value}")]
    is_64_bit = b'Win64="yes"' in (source.sources / _WXS).read_bytes()
    architecture = "x64" if is_64_bit else "x86"
    words = ["wixl", "--arch", architecture, *defined, "--output", output.name, str(source.sources / _WXS)]
    _run(words, source, output.parent)


def _check(source: PackageSource, msi: Path) -> None:
    properties = dict(
        line.split("\t", 1)
        for line in _run(["msiinfo", "export", msi.name, "Property"], source, msi.parent).splitlines()
        if "\t" in line
    )
    summary = _run(["msiinfo", "suminfo", msi.name], source, msi.parent)
    revision = next((line for line in summary.splitlines() if line.startswith(_REVISION_LABEL)), "")
    built = {
        "ProductCode": properties.get("ProductCode"),
        "UpgradeCode": properties.get("UpgradeCode"),
        "ProductVersion": properties.get("ProductVersion"),
        "PackageCode": revision.removeprefix(_REVISION_LABEL),
    }
    declared = {
        "ProductCode": source.product_code,
        "UpgradeCode": source.upgrade_code,
        "ProductVersion": source.version,
        "PackageCode": source.package_code,
    }
    for name, value in declared.items():
        if built[name] != value:
            raise PackageBuildFailed(
                f"{name} was declared as {value} and built as {built[name]}", where=_shown(source)
            )


def _run(words: list[str], source: PackageSource, folder: Path) -> str:
    environment = dict(os.environ) | {"TZ": "UTC", "LC_ALL": "C.UTF-8"}
    try:
        result = subprocess.run(
            words,
            check=True,
            capture_output=True,
            text=True,
            timeout=_BUILD_SECONDS,
            env=environment,
            cwd=folder,
        )
    except subprocess.CalledProcessError as error:
        raise PackageBuildFailed(f"{words[0]} failed: {error.stderr.strip()}", where=_shown(source)) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PackageBuildFailed(f"{words[0]} failed: {error}", where=_shown(source)) from error
    return result.stdout


def _shown(source: PackageSource) -> str:
    return f"{source.package} {source.version}"
