"""Checks the catalog as a whole: by its codes, each product, file and release must be told apart. Pure.

Releases alike in the three fields that Windows compares are allowed, and so are several with one ProductCode
(minor updates), as long as their PackageCodes differ: a host recognises each of them. Of the first a person is
warned, as going from one to the other takes a removal.

Source: learn.microsoft.com/windows/win32/msi/package-codes ("nonidentical .msi files should not have the same
package code") and …/msi/productcode
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from reconciler.desired.collection import ManifestFile
from reconciler.desired.findings import Location, Problem, Rule
from reconciler.desired.kind_rules import check_kinds
from reconciler.desired.package_manifests import (
    FileReleaseManifest,
    InstallerReleaseManifest,
    MsiPackageManifest,
    MsiReleaseManifest,
    PackageManifest,
    PatchReleaseManifest,
    ReleaseManifest,
)
from reconciler.kernel.calls import InvalidProperty, check_property
from reconciler.kernel.identity import three_fields

R = TypeVar("R", bound=ReleaseManifest)

Files = list[ManifestFile[PackageManifest]]


def check_catalog(packages: Mapping[str, ManifestFile[PackageManifest]]) -> Iterator[Problem]:
    """Yield what is wrong within the catalog, other than within one value."""
    files = [file for _, file in sorted(packages.items()) if file.manifest is not None]
    yield from _upgrade_codes(files)
    yield from _versions(files)
    yield from _product_codes(files)
    yield from _shared(
        _releases(files, MsiReleaseManifest),
        lambda release: release.package_code,
        ("packageCode",),
        Rule.SHARED_PACKAGE_CODE,
        "each build of an MSI has a PackageCode of its own: Windows would run the file it has cached",
    )
    yield from _shared(
        _releases(files, PatchReleaseManifest),
        lambda release: release.patch_code,
        ("patchCode",),
        Rule.SHARED_PATCH_CODE,
        "one PatchCode is one patch: check which of the two it is with reconciler import",
    )
    yield from _shared(
        _releases(files, FileReleaseManifest),
        lambda release: release.artifact.sha256,
        ("artifact", "sha256"),
        Rule.SHARED_ARTIFACT,
        "one file is one release: check which of the two it is with reconciler import",
    )
    yield from _properties(files)
    for file in files:
        if isinstance(file.manifest, MsiPackageManifest):
            yield from _transforms(file.path, file.manifest.releases)
            yield from _alike(file.path, file.manifest.releases)
            yield from _order(file.path, file.manifest.releases)
    yield from check_kinds(files, complete=len(files) == len(packages))


def _releases(files: Files, kind: type[R]) -> Iterator[tuple[ManifestFile[PackageManifest], int, R]]:
    """Yield the releases of a kind, each with its file and its place there."""
    for file in files:
        for index, release in enumerate(file.manifest.releases if file.manifest is not None else ()):
            if isinstance(release, kind):
                yield file, index, release


def _upgrade_codes(files: Files) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for file in files:
        if not isinstance(file.manifest, MsiPackageManifest):
            continue
        other = first.setdefault(file.manifest.upgrade_code, file.place.name)
        if other != file.place.name:
            message = f"the package {other} has this UpgradeCode as well"
            hint = "one UpgradeCode is one product family: make it one package"
            yield Problem(file.path, Rule.SHARED_UPGRADE_CODE, message, hint, ("upgradeCode",))


def _versions(files: Files) -> Iterator[Problem]:
    seen: set[tuple[str, str]] = set()
    for file, index, release in _releases(files, ReleaseManifest):
        if (file.place.name, release.version) in seen:
            message = f"the release {release.version} stands here twice"
            hint = "tell two builds of one version apart by a fourth field, which Windows ignores: 2.1.0.1"
            if not isinstance(release, MsiReleaseManifest):
                hint = "give one of the two another version"
            location: Location = ("releases", index, "version")
            yield Problem(file.path, Rule.DUPLICATE_VERSION, message, hint, location)
        seen.add((file.place.name, release.version))


def _product_codes(files: Files) -> Iterator[Problem]:
    owner: dict[str, str] = {}
    for file, index, release in _releases(files, MsiReleaseManifest):
        other = owner.setdefault(release.product_code, file.place.name)
        if other != file.place.name:
            message = f"the package {other} has this ProductCode as well"
            hint = "one ProductCode is one product: check it with reconciler import"
            location: Location = ("releases", index, "productCode")
            yield Problem(file.path, Rule.SHARED_PRODUCT_CODE, message, hint, location)


def _shared(
    releases: Iterator[tuple[ManifestFile[PackageManifest], int, R]],
    code: Callable[[R], str],
    key: Location,
    rule: Rule,
    hint: str,
) -> Iterator[Problem]:
    owner: dict[str, str] = {}
    for file, index, release in releases:
        this = f"{file.place.name} {release.version}"
        other = owner.setdefault(code(release), this)
        if other != this:
            message = f"the release {other} has this {key[-1]} as well"
            yield Problem(file.path, rule, message, hint, ("releases", index, *key))


def _properties(files: Files) -> Iterator[Problem]:
    for file, index, release in _releases(files, InstallerReleaseManifest):
        for name, value in release.properties.items():
            try:
                check_property(name, value)
            except InvalidProperty as error:
                location: Location = ("releases", index, "properties", name)
                hint = error.hint or ""
                yield Problem(file.path, Rule.INVALID_PROPERTY, error.what, hint, location, on_key=True)


def _transforms(path: str, releases: list[MsiReleaseManifest]) -> Iterator[Problem]:
    for index, release in enumerate(releases):
        names = [transform.file.lower() for transform in release.transforms]
        for position, name in enumerate(names):
            if name in names[:position]:
                message = f"another transform of this release is called {name} as well"
                location: Location = ("releases", index, "transforms", position, "file")
                yield Problem(
                    path, Rule.DUPLICATE_TRANSFORM, message, "they lie in one folder: rename one", location
                )


def _alike(path: str, releases: list[MsiReleaseManifest]) -> Iterator[Problem]:
    first: dict[tuple[int, int, int], str] = {}
    for index, release in enumerate(releases):
        other = first.setdefault(three_fields(release.version), release.version)
        if other != release.version:
            message = f"to Windows {release.version} and {other} are one version: it compares three fields"
            hint = "give the next build a higher third field, so that it can be installed over the one before"
            yield Problem(path, Rule.ALIKE_VERSIONS, message, hint, ("releases", index, "version"))


def _order(path: str, releases: list[MsiReleaseManifest]) -> Iterator[Problem]:
    """Yield minor updates that stand as newer than a release of the same product with a higher version.

    A file lists its releases oldest first, or newest first where its first release is higher than its last.
    """
    numbered = list(enumerate(releases))
    if len(releases) > 1 and three_fields(releases[0].version) > three_fields(releases[-1].version):
        numbered.reverse()
    highest: dict[str, str] = {}
    for index, release in numbered:
        before = highest.setdefault(release.product_code, release.version)
        if three_fields(release.version) < three_fields(before):
            message = f"{release.version} stands as newer than {before}, which has the same ProductCode"
            hint = "within one ProductCode versions only rise: check it with reconciler import, or move it"
            yield Problem(path, Rule.VERSION_ORDER, message, hint, ("releases", index, "version"))
        else:
            highest[release.product_code] = release.version
