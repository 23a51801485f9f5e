"""Checks catalog files of the kinds beside MSI: hosts must tell releases apart, and settings not clash. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.desired.collection import ManifestFile
from reconciler.desired.findings import Location, Problem, Rule
from reconciler.desired.package_assembly import detection_of, settings_of
from reconciler.desired.package_manifests import (
    ConfigurationPackageManifest,
    ConfigurationReleaseManifest,
    MsiPackageManifest,
    PackageManifest,
    PatchPackageManifest,
    ProgramPackageManifest,
)
from reconciler.kernel.configuration import PlacedFile, RegistryValue, Setting
from reconciler.kernel.probes import VersionOrder, version_order

Files = Sequence[ManifestFile[PackageManifest]]


def check_kinds(files: Files, *, complete: bool) -> Iterator[Problem]:
    """Yield what is wrong with packages of the kinds beside MSI.

    Args:
        files: the valid files of the catalog.
        complete: whether these are all of its files; if not, nothing is said that another one might refute.
    """
    yield from _same_versions(files)
    if complete:
        yield from _targets(files)
    yield from _detection(files)
    yield from _settings(files)


def _same_versions(files: Files) -> Iterator[Problem]:
    for file in files:
        if file.manifest is None or isinstance(file.manifest, MsiPackageManifest):
            continue
        first: dict[VersionOrder, str] = {}
        for index, release in enumerate(file.manifest.releases):
            other = first.setdefault(version_order(release.version), release.version)
            if other != release.version:
                message = f"{release.version} and {other} are the same version: fields of zero count as missing"
                location: Location = ("releases", index, "version")
                hint = "give one of the two another version"
                yield Problem(file.path, Rule.DUPLICATE_VERSION, message, hint, location)


def _targets(files: Files) -> Iterator[Problem]:
    known = {
        release.product_code
        for file in files
        if isinstance(file.manifest, MsiPackageManifest)
        for release in file.manifest.releases
    }
    for file in files:
        if not isinstance(file.manifest, PatchPackageManifest):
            continue
        for index, release in enumerate(file.manifest.releases):
            if known.intersection(release.targets):
                # A patch often is for more products than one has: one that is known will do.
                continue
            message = "no package of the catalog has a product that this patch is for"
            hint = "the patch waits until a host has one: import its MSI, or check the ProductCodes"
            yield Problem(file.path, Rule.UNKNOWN_TARGET, message, hint, ("releases", index, "targets"))


def _detection(files: Files) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for file in files:
        if not isinstance(file.manifest, ProgramPackageManifest):
            continue
        other = first.setdefault(detection_of(file.manifest.detect).key.lower(), file.place.name)
        if other != file.place.name:
            message = f"the package {other} is found by this as well"
            hint = "a host could not tell the two apart: make them one package, or name a file that is this one's"
            yield Problem(file.path, Rule.SHARED_DETECTION, message, hint, ("detect",))


def _settings(files: Files) -> Iterator[Problem]:
    owner: dict[str, str] = {}
    told: set[tuple[str, str]] = set()
    for file in files:
        if not isinstance(file.manifest, ConfigurationPackageManifest):
            continue
        name = file.place.name
        for index, release in enumerate(file.manifest.releases):
            seen: set[str] = set()
            for setting, within in _places(release):
                location: Location = ("releases", index, *within)
                if setting.identity in seen:
                    message = f"{setting} is set twice in this release"
                    yield Problem(file.path, Rule.DUPLICATE_SETTING, message, "take one of the two out", location)
                seen.add(setting.identity)
                other = owner.setdefault(setting.identity, name)
                if other != name and (name, setting.identity) not in told:
                    told.add((name, setting.identity))
                    message = f"the package {other} sets {setting} as well"
                    hint = "a host that has both goes by turns from one to the other: set it in one package"
                    yield Problem(file.path, Rule.CONTESTED_SETTING, message, hint, location)


def _places(release: ConfigurationReleaseManifest) -> Iterator[tuple[Setting, Location]]:
    """Yield the settings of a release, each with the way to it."""
    counts = {"registry": 0, "files": 0, "services": 0}
    for setting in settings_of(release):
        key = "services"
        if isinstance(setting, RegistryValue):
            key = "registry"
        elif isinstance(setting, PlacedFile):
            key = "files"
        yield setting, (key, counts[key])
        counts[key] += 1
