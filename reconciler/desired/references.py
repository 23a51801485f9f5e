"""Checks what one file alone cannot show: names that must exist elsewhere, and things that may exist only once.

Pure: works on files already read. A file that could not be read is known by name, so that what refers to it is
not reported as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from reconciler.desired.findings import Location, Problem, Rule
from reconciler.desired.layout import ENVIRONMENT_FILE, HOSTS_FOLDER, SETTINGS_FILE, Place
from reconciler.desired.manifests import (
    EnvironmentManifest,
    HostManifest,
    Manifest,
    PackageManifest,
    SettingsManifest,
)
from reconciler.desired.model import ABSENT_TEXT, host_key
from reconciler.desired.suggestions import Suggester

M = TypeVar("M", bound=Manifest)


@dataclass(frozen=True, slots=True)
class ManifestFile(Generic[M]):
    """One file. ``manifest`` is ``None`` where it is not valid; ``remains`` is what could be read of it then."""

    path: str
    place: Place
    manifest: M | None
    remains: Mapping[str, Any]

    def value(self, key: str, attribute: str) -> Any:
        """Return the value of a key, though the file may be wrong elsewhere; of any type where it is not valid."""
        return self.remains.get(key) if self.manifest is None else getattr(self.manifest, attribute)


@dataclass(slots=True)
class Manifests:
    """All files of a desired state, packages and environments by name. ``root`` is what paths start with."""

    root: str
    settings: ManifestFile[SettingsManifest] | None = None
    packages: dict[str, ManifestFile[PackageManifest]] = field(default_factory=dict)
    environments: dict[str, ManifestFile[EnvironmentManifest]] = field(default_factory=dict)
    hosts: list[ManifestFile[HostManifest]] = field(default_factory=list)


def check_references(manifests: Manifests, suggester: Suggester) -> Iterator[Problem]:
    """Yield what is wrong between the files, other than within the catalog."""
    yield from _missing_files(manifests)
    yield from _promotions(manifests, suggester)
    yield from _claims(manifests.hosts)
    versions = {
        name: None if file.manifest is None else [release.version for release in file.manifest.releases]
        for name, file in manifests.packages.items()
    }
    for environment in manifests.environments.values():
        yield from _wanted(environment.path, environment.value("packages", "packages"), versions, suggester)
    for host in manifests.hosts:
        yield from _wanted(host.path, host.value("packages", "packages"), versions, suggester)


def _missing_files(manifests: Manifests) -> Iterator[Problem]:
    root = manifests.root
    if manifests.settings is None:
        hint = "create it with the one line: version: 1"
        yield Problem(f"{root}{SETTINGS_FILE}", Rule.MISSING_FILE, f"there is no {SETTINGS_FILE}", hint)
    for name in sorted({file.place.environment for file in manifests.hosts} - manifests.environments.keys()):
        message = f"{name}/{HOSTS_FOLDER} has hosts, but there is no {name}/{ENVIRONMENT_FILE}"
        path = f"{root}{name}/{ENVIRONMENT_FILE}"
        yield Problem(path, Rule.MISSING_FILE, message, "create it, or move the hosts to another environment")


def _promotions(manifests: Manifests, suggester: Suggester) -> Iterator[Problem]:
    sources = {
        name: source
        for name, file in manifests.environments.items()
        if isinstance(source := file.value("promotesFrom", "promotes_from"), str)
    }
    location: Location = ("promotesFrom",)
    for name, source in sources.items():
        path = manifests.environments[name].path
        if source not in manifests.environments:
            known = sorted(manifests.environments)
            hint = suggester.hint("environment", source, known, f"environments: {', '.join(known)}")
            yield Problem(path, Rule.UNKNOWN_ENVIRONMENT, f"there is no environment {source!r}", hint, location)
        elif (circle := _circle(name, sources)) and name == min(circle):
            message = f"promotions go round in a circle: {' from '.join((*circle, name))}"
            hint = "leave promotesFrom out of the environment that new releases reach first"
            yield Problem(path, Rule.PROMOTION_CIRCLE, message, hint, location)


def _circle(start: str, sources: Mapping[str, str]) -> list[str]:
    """Return the environments on the circle through ``start``; empty where there is none."""
    passed = [start]
    while (source := sources.get(passed[-1])) is not None and source not in passed:
        passed.append(source)
    return passed if source == start else []


def _claims(hosts: Sequence[ManifestFile[HostManifest]]) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for file in hosts:
        key = host_key(file.place.name)
        if key in first:
            message = f"the host {file.place.name} is claimed by {first[key]} already"
            hint = "a host belongs to one environment: delete one of the two files"
            yield Problem(file.path, Rule.DUPLICATE_HOST, message, hint)
        else:
            first[key] = file.path


def _wanted(
    path: str,
    wanted: Any,
    versions: Mapping[str, list[str] | None],
    suggester: Suggester,
) -> Iterator[Problem]:
    if not isinstance(wanted, dict):
        return
    for package, version in wanted.items():
        if package not in versions:
            location: Location = ("packages", package)
            message = f"the catalog has no package {package!r}"
            hint = suggester.hint("package", package, versions, f"add catalog/{package}.yaml")
            yield Problem(path, Rule.UNKNOWN_PACKAGE, message, hint, location, on_key=True)
            continue
        known = versions[package]
        if known is None or version == ABSENT_TEXT:
            continue
        if isinstance(version, str) and version not in known:
            location = ("packages", package)
            message = f"the package {package} has no release {version!r}"
            releases = f"its releases: {', '.join(known[-5:])}" if known else "its catalog file lists no release"
            hint = suggester.hint(f"release of {package}", version, [*known, ABSENT_TEXT], releases)
            yield Problem(path, Rule.UNKNOWN_RELEASE, message, hint, location)
