"""Checks what one file alone cannot show: names that must exist elsewhere, and things that may exist only once.

Pure: works on files already read. A file that could not be read is known by name, so that what refers to it is
not reported as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reconciler.desired.collection import ManifestFile, Manifests
from reconciler.desired.findings import Location, Problem, Rule
from reconciler.desired.layout import (
    ENVIRONMENT_FILE,
    HOSTS_FOLDER,
    SETTINGS_FILE,
    TENANT_FILE,
    tenant_of,
)
from reconciler.desired.model import ABSENT, ABSENT_TEXT, Absence, Host, Wanted, host_key
from reconciler.desired.package_manifests import PackageManifest
from reconciler.desired.suggestions import Suggester

Versions = Mapping[str, list[str] | None]
"""The versions of each package in the catalog; ``None`` where its file is not valid."""


def versions_of(packages: Mapping[str, ManifestFile[PackageManifest]]) -> Versions:
    """Return the versions that files may ask for."""
    return {
        name: None if file.manifest is None else [release.version for release in file.manifest.releases]
        for name, file in packages.items()
    }


def check_references(manifests: Manifests, hosts: Iterable[Host], suggester: Suggester) -> Iterator[Problem]:
    """Yield what is wrong between the files, other than within the catalog and among environments.

    Args:
        manifests: the files.
        hosts: the hosts with valid files whose versions are to be looked at.
        suggester: finds the name that was meant.
    """
    yield from _missing_files(manifests)
    yield from _owners(manifests, suggester)
    versions = versions_of(manifests.packages)
    for _, environment in sorted(manifests.environments.items()):
        yield from _wanted(environment.path, environment.value("packages", "packages"), versions, suggester)
        yield from _overrides(environment.path, environment.value("overrides", "overrides"), versions, suggester)
    suspects: dict[str, Any] = {manifests.path_of(host): host.packages for host in _unsettled(hosts, versions)}
    suspects |= {path: file.value("packages", "packages") for path, file in manifests.broken_hosts.items()}
    for path, wanted in sorted(suspects.items()):
        yield from _wanted(path, wanted, versions, suggester)


def check_claims(manifests: Manifests) -> Iterator[Problem]:
    """Yield the hosts that several files name."""
    keys = {host_key(host.name) for host in manifests.all_hosts()}
    keys.update(host_key(file.place.name) for file in manifests.broken_hosts.values())
    if len(keys) == sum(map(len, manifests.hosts.values())) + len(manifests.broken_hosts):
        return
    names = {manifests.path_of(host): host.name for host in manifests.all_hosts()}
    names |= {path: file.place.name for path, file in manifests.broken_hosts.items()}
    first: dict[str, str] = {}
    for path, name in sorted(names.items()):
        other = first.setdefault(host_key(name), path)
        if other != path:
            message = f"the host {name} is claimed by {other} already"
            hint = "a host belongs to one environment: delete one of the two files"
            yield Problem(path, Rule.DUPLICATE_HOST, message, hint)


def _missing_files(manifests: Manifests) -> Iterator[Problem]:
    root = manifests.root
    if manifests.settings is None:
        hint = "create it with the one line: version: 1"
        yield Problem(f"{root}{SETTINGS_FILE}", Rule.MISSING_FILE, f"there is no {SETTINGS_FILE}", hint)
    with_hosts = manifests.environments_with_hosts()
    for name in sorted(with_hosts - manifests.environments.keys()):
        message = f"{name}/{HOSTS_FOLDER} has hosts, but there is no {name}/{ENVIRONMENT_FILE}"
        path = f"{root}{name}/{ENVIRONMENT_FILE}"
        yield Problem(path, Rule.MISSING_FILE, message, "create it, or move the hosts to another environment")
    tenants = {tenant for name in with_hosts | manifests.environments.keys() if (tenant := tenant_of(name))}
    for name in sorted(tenants - manifests.tenants.keys()):
        message = f"{name} has environments in it, but there is no {name}/{TENANT_FILE}"
        hint = "create it (it may be empty), or move the environments further up"
        yield Problem(f"{root}{name}/{TENANT_FILE}", Rule.MISSING_FILE, message, hint)
    for name in sorted(manifests.tenants.keys() & manifests.environments.keys()):
        message = f"{name} is a tenant by its {TENANT_FILE}, so it cannot be an environment itself"
        hint = f"move this file to {name}/<environment>/{ENVIRONMENT_FILE}"
        yield Problem(manifests.environments[name].path, Rule.MISPLACED_FILE, message, hint)


def _owners(manifests: Manifests, suggester: Suggester) -> Iterator[Problem]:
    groups = manifests.settings.value("groups", "groups") if manifests.settings is not None else None
    if manifests.settings is not None and groups is None:
        groups = {}
    if not isinstance(groups, dict):
        return
    known = sorted(groups)
    otherwise = f"groups: {', '.join(known)}" if known else f"list it under groups in {SETTINGS_FILE}"
    kinds: tuple[Mapping[str, ManifestFile[Any]], ...] = (
        manifests.packages,
        manifests.environments,
        manifests.tenants,
    )
    for files in kinds:
        for _, file in sorted(files.items()):
            owners = file.value("owners", "owners")
            for index, owner in enumerate(owners if isinstance(owners, list) else ()):
                if isinstance(owner, str) and owner not in groups:
                    hint = suggester.hint("group", owner, known, otherwise)
                    location: Location = ("owners", index)
                    yield Problem(file.path, Rule.UNKNOWN_GROUP, f"there is no group {owner!r}", hint, location)


def _unsettled(hosts: Iterable[Host], versions: Versions) -> Iterator[Host]:
    """Yield the hosts that ask for something that is not surely in the catalog; there may be many to look at."""
    known: set[tuple[str, Wanted]] = {(name, ABSENT) for name in versions}
    known.update((name, version) for name, listed in versions.items() for version in listed or ())
    for host in hosts:
        if host.packages and not host.packages.items() <= known:
            yield host


def _overrides(path: str, overrides: Any, versions: Versions, suggester: Suggester) -> Iterator[Problem]:
    for index, override in enumerate(overrides if isinstance(overrides, list) else ()):
        wanted = override.get("packages") if isinstance(override, dict) else getattr(override, "packages", None)
        yield from _wanted(path, wanted, versions, suggester, ("overrides", index))


def _wanted(
    path: str, wanted: Any, versions: Versions, suggester: Suggester, within: Location = ()
) -> Iterator[Problem]:
    if not isinstance(wanted, dict):
        return
    for package, version in wanted.items():
        location: Location = (*within, "packages", package)
        if package not in versions:
            message = f"the catalog has no package {package!r}"
            hint = suggester.hint("package", package, versions, f"add catalog/{package}.yaml")
            yield Problem(path, Rule.UNKNOWN_PACKAGE, message, hint, location, on_key=True)
            continue
        known = versions[package]
        if known is None or version == ABSENT_TEXT or isinstance(version, Absence):
            continue
        if isinstance(version, str) and version not in known:
            message = f"the package {package} has no release {version!r}"
            releases = f"its releases: {', '.join(known[-5:])}" if known else "its catalog file lists no release"
            hint = suggester.hint(f"release of {package}", version, [*known, ABSENT_TEXT], releases)
            yield Problem(path, Rule.UNKNOWN_RELEASE, message, hint, location)
