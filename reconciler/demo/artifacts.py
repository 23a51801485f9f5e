"""Makes the installers that the example's catalog names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from reconciler.artifacts.store import ArtifactStore
from reconciler.desired.editing import add_release, new_package
from reconciler.desired.layout import CATALOG_FOLDER
from reconciler.desired.loading import load_folder
from reconciler.desired.model import DesiredState
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.releases import MsiRelease
from reconciler.testing.simulated_files import SimulatedPackage, write_simulated_msi

FileOf = Callable[[MsiRelease], Path]
"""Gives the file that was made for a release."""


class ExampleNotValid(ReconcilerError):
    """The example desired state does not validate."""

    reference = "example-not-valid"


class ExampleArtifacts(Protocol):
    """A way to make the example's installers."""

    def make(self, folder: Path, environments: Path, store: ArtifactStore) -> None:
        """Make them in ``folder``, keep them in ``store``, and fit the catalog in ``environments`` to them."""


class BuiltByWixl:
    """Real MSIs, built by wixl from the sources in the lab."""

    def make(self, folder: Path, environments: Path, store: ArtifactStore) -> None:
        """Build every MSI of the example."""
        from reconciler.lab.packages import build_examples

        files = {built.source.package_code: built.path for built in build_examples(folder)}
        fit_catalog(environments, store, lambda release: files[release.package_code])


class SimulatedInstallers:
    """Stand-ins that only simulated hosts can install: they hold an identity and nothing else."""

    def make(self, folder: Path, environments: Path, store: ArtifactStore) -> None:
        """Write a stand-in for every release of the example."""

        def write(release: MsiRelease) -> Path:
            package = owners[release.package_code]
            file = folder / package.name / release.version / release.artifact.file_name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(
                write_simulated_msi(
                    SimulatedPackage(
                        product_code=release.product_code,
                        package_code=release.package_code,
                        upgrade_code=package.upgrade_code,
                        version=release.version,
                        name=package.name,
                    )
                )
            )
            return file

        owners = {
            release.package_code: package
            for package in _example(environments).packages.values()
            for release in package.msi_releases
        }
        fit_catalog(environments, store, write)


def fit_catalog(environments: Path, store: ArtifactStore, file_of: FileOf) -> None:
    """Keep the file of every MSI, and write its hash into the catalog where it is another than stands there.

    Another release of wixl builds the same package with other bytes, so the example's hashes may not be those
    of what was just built.

    Args:
        environments: the folder of the example desired state.
        store: where the files are kept.
        file_of: gives the file that was made for a release.

    Raises:
        ExampleNotValid: the example does not validate.
    """
    for package in _example(environments).packages.values():
        if not package.msi_releases:
            continue
        releases = [_kept(release, store, file_of) for release in package.msi_releases]
        if releases == list(package.releases):
            continue
        text = new_package(package.upgrade_code, releases[0])
        for release in releases[1:]:
            text = add_release(text, release)
        (environments / CATALOG_FOLDER / f"{package.name}.yaml").write_text(text, "utf-8")


def _example(environments: Path) -> DesiredState:
    loaded = load_folder(environments)
    if loaded.state is None:
        first = loaded.findings[0]
        raise ExampleNotValid(first.message, where=f"{first.path}:{first.line}:{first.column}")
    return loaded.state


def _kept(release: MsiRelease, store: ArtifactStore, file_of: FileOf) -> MsiRelease:
    return replace(release, artifact=store.add(file_of(release)))
