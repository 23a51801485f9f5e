"""Holds the files of the catalog's releases against what it says of them: size, sha256, identity, signer.

A file is looked for among the installation's artifacts, then at its sources. Keeps none, and runs nothing of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reconciler.artifacts.fetching import CannotFetch, IPAddress, fetch, is_public
from reconciler.artifacts.installer_files import read_transform
from reconciler.artifacts.msi_file import UnreadableMsi
from reconciler.artifacts.signatures import signature_of
from reconciler.artifacts.store import ArtifactError, ArtifactStore, describe
from reconciler.desired.catalog import Package, ReleaseDetails
from reconciler.desired.findings import Problem, Rule
from reconciler.desired.layout import CATALOG_FOLDER
from reconciler.desired.loading import Loaded, in_order, load_source
from reconciler.desired.model import DesiredState
from reconciler.desired.reading import located
from reconciler.grants.model import NO_GRANTS, Grants, lies_in
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.configuration import PlacedFile
from reconciler.kernel.releases import (
    ConfigurationRelease,
    MsiRelease,
    PatchRelease,
    ProgramRelease,
    Release,
)
from reconciler.kernel.signatures import refusal
from reconciler.operations.identity_checks import Spot, check_identity
from reconciler.operations.validate import source_of


def validate_with_artifacts(
    folder: Path,
    revision: str | None,
    kept: ArtifactStore | None,
    roots: Path | None,
    say: Callable[[str], object],
    grants: Grants = NO_GRANTS,
) -> Loaded:
    """Check a desired state and then, where it has no errors, the files of its releases.

    Args:
        folder: the folder of the desired state within a working tree, or a bare repository.
        revision: a branch, tag or commit; without one, what lies there now is checked.
        kept: the artifacts of the installation, if there is one; what it lacks is fetched from its sources.
        roots: a PEM file with the certificates trusted to sign; without it, those of the system.
        say: told which release is looked at.
        grants: what the server's configuration grants: networks that sources may be in, beside the public ones.

    Raises:
        NoSuchFolder: there is no such folder.
        RepositoryError: there is no repository there, or no such revision in it.
        NoSignatureTool: a signature is to be checked, and the program for it is missing.
    """
    source, name = source_of(folder, revision)
    loaded = load_source(source, name)
    if loaded.state is None:
        return loaded
    found = located(source, _check_releases(loaded.state, source.root, (kept, roots, grants), say))
    return Loaded(None if found else loaded.state, in_order([*loaded.findings, *found]))


def _check_releases(
    state: DesiredState,
    root: str,
    means: tuple[ArtifactStore | None, Path | None, Grants],
    say: Callable[[str], object],
) -> list[Problem]:
    """Return what is wrong with the files of the releases, at the lines of the catalog that name them."""
    problems: list[Problem] = []
    with tempfile.TemporaryDirectory(prefix="reconciler-artifacts-") as folder:
        kept, roots, grants = means
        shelf = _Shelf(kept, Path(folder), roots, grants)
        for package in state.packages.values():
            path = f"{root}{CATALOG_FOLDER}/{package.name}.yaml"
            for index, release in enumerate(package.releases):
                say(f"{package.name} {release.version}")
                spot = Spot(path, ("releases", index))
                problems += _check_release(shelf, spot, package, release)
    return problems


@dataclass(frozen=True, slots=True)
class _Shelf:
    """Where files are looked for: what is kept, and a folder for one that was fetched."""

    kept: ArtifactStore | None
    folder: Path
    roots: Path | None
    grants: Grants

    def find(self, artifact: Artifact, sources: tuple[str, ...]) -> tuple[Path | None, list[str]]:
        """Return where a file is; or ``None``, and why each source does not have it."""
        found = self.kept.find(artifact.sha256) if self.kept is not None else None
        if found is not None:
            return found, []
        fetched = self.folder / artifact.file_name
        failures: list[str] = []
        for source in sources:
            try:
                fetch(source, artifact, fetched, self._may_reach)
            except CannotFetch as error:
                failures.append(f"{error.where} {error.what}")
            else:
                return fetched, []
        return None, failures

    def _may_reach(self, address: IPAddress) -> bool:
        return is_public(address) or lies_in(self.grants.source_networks, address)

    def clear(self) -> None:
        """Delete what was fetched."""
        for file in self.folder.iterdir():
            file.unlink()


def _check_release(shelf: _Shelf, spot: Spot, package: Package, release: Release) -> Iterator[Problem]:
    details = package.details_of(release.version)
    if isinstance(release, ConfigurationRelease):
        yield from _check_placed(shelf, spot, release, details)
    else:
        yield from _check_installed(shelf, spot, package, release, details)
    if isinstance(release, MsiRelease):
        yield from _check_transforms(shelf, spot, release, details)
    shelf.clear()


def _check_installed(
    shelf: _Shelf,
    spot: Spot,
    package: Package,
    release: MsiRelease | PatchRelease | ProgramRelease,
    details: ReleaseDetails,
) -> Iterator[Problem]:
    """Check the file that a release installs."""
    file, failures = shelf.find(release.artifact, details.sources)
    if file is None:
        yield _missing(spot, failures, "import it: reconciler import FILE --package " + package.name, "artifact")
        return
    wrong = list(_check_content(spot, file, release.artifact, "artifact"))
    yield from wrong
    if not wrong:
        yield from check_identity(spot, file, package, release, details)
        yield from _check_signer(spot, file, release.artifact.signer, shelf.roots)


def _check_transforms(
    shelf: _Shelf, spot: Spot, release: MsiRelease, details: ReleaseDetails
) -> Iterator[Problem]:
    for index, transform in enumerate(release.transforms):
        file, failures = shelf.find(transform, details.transform_sources[index])
        if file is None:
            yield _missing(spot, failures, "name its sources", "transforms", index)
            continue
        yield from _check_content(spot, file, transform, "transforms", index)
        try:
            read_transform(file)
        except UnreadableMsi as error:
            yield spot.problem(Rule.UNREADABLE_ARTIFACT, error.what, error.hint or "", "transforms", index, "file")


def _check_placed(
    shelf: _Shelf, spot: Spot, release: ConfigurationRelease, details: ReleaseDetails
) -> Iterator[Problem]:
    """Check the artifacts that a configuration places."""
    placed = [setting for setting in release.settings if isinstance(setting, PlacedFile)]
    sources = iter(details.file_sources)
    for index, setting in enumerate(placed):
        if setting.artifact is None:
            continue
        keys = ("files", index, "artifact")
        file, failures = shelf.find(setting.artifact, next(sources))
        if file is None:
            yield _missing(spot, failures, "name its sources", *keys)
        else:
            yield from _check_content(spot, file, setting.artifact, *keys)


def _missing(spot: Spot, failures: list[str], advice: str, *keys: str | int) -> Problem:
    message = "the file is neither among the installation's artifacts nor at a source"
    return spot.problem(Rule.MISSING_ARTIFACT, message, "; ".join(failures) or advice, *keys)


def _check_content(spot: Spot, file: Path, artifact: Artifact, *keys: str | int) -> Iterator[Problem]:
    try:
        found = describe(file)
    except ArtifactError as error:
        yield spot.problem(Rule.UNREADABLE_ARTIFACT, error.what, error.hint or "", *keys)
        return
    hint = "check which file is meant: reconciler import reads all of this from it"
    if found.sha256 != artifact.sha256:
        message = f"the file has the sha256 {found.sha256}"
        yield spot.problem(Rule.ARTIFACT_MISMATCH, message, hint, *keys, "sha256")
    if found.size != artifact.size:
        yield spot.problem(Rule.ARTIFACT_MISMATCH, f"the file has {found.size} bytes", hint, *keys, "size")


def _check_signer(spot: Spot, file: Path, pin: str, roots: Path | None) -> Iterator[Problem]:
    if not pin:
        return
    if why := refusal(pin, signature_of(file, roots)):
        hint = "get the file from its vendor again; do not deploy this one"
        yield spot.problem(Rule.UNTRUSTED_SIGNATURE, why, hint, "artifact", "signer")
