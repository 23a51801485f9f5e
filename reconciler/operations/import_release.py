"""Adds a release to the catalog from the MSI itself, and keeps the MSI as an artifact."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reconciler.artifacts.msi_file import MsiIdentity, read_msi
from reconciler.desired.editing import add_release, new_package
from reconciler.desired.layout import CATALOG_FOLDER
from reconciler.desired.loading import load_folder
from reconciler.desired.model import DesiredState
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.releases import Artifact, Release
from reconciler.site import Site


class CannotImport(ReconcilerError):
    """An MSI that does not fit the package it was to be imported into."""

    reference = "cannot-import"


@dataclass(frozen=True, slots=True)
class Imported:
    """What was read, what was kept, and the catalog file. ``changed`` is False where it had the release."""

    identity: MsiIdentity
    artifact: Artifact
    catalog_file: Path
    changed: bool


def import_msi(site: Site, file: Path, package: str, folder: Path) -> Imported:
    """Import an MSI as a release of a package. Doing it again changes nothing.

    Args:
        site: the installation whose artifact folder keeps the file.
        file: the MSI. Its identity is read from it, never from its name; the name is kept for the hosts, where
            a minor update may look for it.
        package: the package's name; a new package is made from the MSI.
        folder: the folder of the desired state in a working tree, which must be valid.

    Raises:
        UnreadableMsi: the file is not an MSI, or lacks its identity.
        CannotImport: the desired state is not valid, or the MSI does not fit the package.
        ArtifactError: the file cannot be kept.
    """
    identity = read_msi(file)
    loaded = load_folder(folder)
    if loaded.state is None:
        first = loaded.findings[0]
        raise CannotImport(
            f"the desired state is not valid: {first.message}",
            where=f"{first.path}:{first.line}:{first.column}",
            hint=f"run reconciler validate {folder}, mend it, and import again",
        )
    catalog_file = folder / CATALOG_FOLDER / f"{package}.yaml"
    known = loaded.state.packages.get(package)
    if identity.upgrade_code is None:
        raise CannotImport(
            "the MSI has no UpgradeCode, so its later versions could not be told to be of one family",
            where=str(file),
            hint="ask its vendor for one that has",
        )
    _refuse_foreign(identity, identity.upgrade_code, package, loaded.state, file)
    artifact = site.artifacts.add(file)
    release = Release(identity.version, identity.product_code, identity.package_code, artifact)
    if known is None:
        text = new_package(identity.upgrade_code, release)
    else:
        present = next((r for r in known.releases if r.package_code == identity.package_code), None)
        if present is not None:
            _refuse_other_file(present, artifact, file)
            return Imported(identity, artifact, catalog_file, changed=False)
        text = add_release(catalog_file.read_text("utf-8"), release)
    catalog_file.parent.mkdir(parents=True, exist_ok=True)
    catalog_file.write_text(text, "utf-8")
    return Imported(identity, artifact, catalog_file, changed=True)


def _refuse_foreign(
    identity: MsiIdentity, upgrade_code: str, package: str, desired: DesiredState, file: Path
) -> None:
    """Refuse an MSI whose codes say that it belongs to another package."""
    known = desired.packages.get(package)
    if known is not None and known.upgrade_code != upgrade_code:
        raise CannotImport(
            f"its UpgradeCode {upgrade_code} is not that of {package} ({known.upgrade_code})",
            where=str(file),
            hint="it is another product: give it a package of its own",
        )
    for other in desired.packages.values():
        if other.name == package:
            continue
        if other.upgrade_code == upgrade_code:
            raise CannotImport(
                f"its UpgradeCode is that of {other.name}",
                where=str(file),
                hint=f"import it with --package {other.name}",
            )
        for release in other.releases:
            if identity.product_code == release.product_code or identity.package_code == release.package_code:
                raise CannotImport(
                    f"it shares a code with {other.name} {release.version}",
                    where=str(file),
                    hint="two products cannot share one: ask their vendor for a package with codes of its own",
                )


def _refuse_other_file(present: Release, artifact: Artifact, file: Path) -> None:
    """Two files with one PackageCode are refused: Windows would run the one it has cached.

    Source: learn.microsoft.com/windows/win32/msi/package-codes
    """
    if present.artifact.sha256 != artifact.sha256:
        raise CannotImport(
            f"it has the PackageCode of release {present.version}, but is another file",
            where=str(file),
            hint="each build needs a PackageCode of its own; Windows would go on running the file it has cached",
        )
