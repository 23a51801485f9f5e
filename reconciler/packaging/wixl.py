"""Runs wixl and makes its output what was declared: fixed codes, fixed times, checked. Knows no package.

Equal sources and one version of wixl give files that are equal bit by bit.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.packaging.errors import PackageBuildFailed, PackagingUnavailable
from reconciler.packaging.summary import with_fixed_summary

FIXED_TIME = 1_704_067_200
"""2024-01-01 00:00 UTC, in seconds: the time of every packed file and of the summary information."""

BUILD_TOOLS = {"msiinfo": "msitools", "wixl": "wixl"}
"""The commands that building takes, and the Debian package that each comes from."""

_BUILD_SECONDS = 60
_REVISION_LABEL = "Revision number (UUID): "


@dataclass(frozen=True, slots=True)
class MsiDeclaration:
    """What an MSI is declared to be before it is built; the codes are GUIDs in braces and upper case.

    ``shown`` names it in messages.
    """

    shown: str
    version: str
    product_code: str
    package_code: str
    upgrade_code: str


def require_builder() -> None:
    """Make sure that packages can be built here, which needs no Wine.

    Raises:
        PackagingUnavailable: wixl or msitools are missing.
    """
    if absent := [tool for tool in BUILD_TOOLS if shutil.which(tool) is None]:
        packages = " ".join(sorted({BUILD_TOOLS[tool] for tool in absent}))
        raise PackagingUnavailable(
            f"building packages needs {', '.join(absent)}, which this machine lacks",
            hint=f"as root: apt-get install -y --no-install-recommends {packages}",
        )


def build_msi(
    declared: MsiDeclaration,
    wxs: Path,
    definitions: Mapping[str, str],
    output: Path,
    corrections: Sequence[str] = (),
) -> None:
    """Build ``wxs`` as ``output``, with the declared codes and a fixed time.

    Args:
        declared: what it is to be; its codes and version are given to ``wxs`` as variables.
        wxs: the WiX source.
        definitions: further variables; paths in them are relative to the output's folder, since wixl takes no
            absolute ones.
        output: the file to write.
        corrections: SQL statements for what wixl cannot express.

    Raises:
        PackagingUnavailable: wixl or msitools are missing.
        PackageBuildFailed: wixl refused the source, or what it built is not what was declared.
    """
    require_builder()
    given = {
        "PRODUCT_CODE": declared.product_code.strip("{}"),
        "UPGRADE_CODE": declared.upgrade_code.strip("{}"),
        "VERSION": declared.version,
        **definitions,
    }
    defined = [word for name, value in given.items() for word in ("--define", f"{name}={value}")]
    architecture = "x64" if b'Win64="yes"' in wxs.read_bytes() else "x86"
    _run(declared, ["wixl", "--arch", architecture, *defined, "--output", output.name, str(wxs)], output.parent)
    for statement in corrections:
        _run(declared, ["msibuild", output.name, "-q", statement], output.parent)
    output.write_bytes(with_fixed_summary(output.read_bytes(), declared.package_code, FIXED_TIME))
    _check(declared, output)


def _check(declared: MsiDeclaration, msi: Path) -> None:
    exported = _run(declared, ["msiinfo", "export", msi.name, "Property"], msi.parent)
    properties = dict(line.split("\t", 1) for line in exported.splitlines() if "\t" in line)
    summary = _run(declared, ["msiinfo", "suminfo", msi.name], msi.parent)
    revision = next((line for line in summary.splitlines() if line.startswith(_REVISION_LABEL)), "")
    for name, wanted, built in (
        ("ProductCode", declared.product_code, properties.get("ProductCode")),
        ("UpgradeCode", declared.upgrade_code, properties.get("UpgradeCode")),
        ("ProductVersion", declared.version, properties.get("ProductVersion")),
        ("PackageCode", declared.package_code, revision.removeprefix(_REVISION_LABEL)),
    ):
        if built != wanted:
            raise PackageBuildFailed(f"{name} was declared as {wanted} and built as {built}", where=declared.shown)


def _run(declared: MsiDeclaration, words: list[str], folder: Path) -> str:
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
        raise PackageBuildFailed(f"{words[0]} failed: {error.stderr.strip()}", where=declared.shown) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PackageBuildFailed(f"{words[0]} failed: {error}", where=declared.shown) from error
    return result.stdout
