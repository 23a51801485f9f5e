"""The files of one desired state, as far as each could be read. Checks nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, Generic, TypeVar

from reconciler.desired.layout import HOSTS_FOLDER, FileKind, Place, tenant_of
from reconciler.desired.manifest_model import Manifest
from reconciler.desired.manifests import (
    EnvironmentManifest,
    HostManifest,
    SettingsManifest,
    TenantManifest,
)
from reconciler.desired.model import Host
from reconciler.desired.package_manifests import PackageManifest

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
    """All files of a desired state. ``root`` is what paths start with.

    Packages, environments and tenants are held by name. Of hosts, which may be many, the valid ones are held as
    what they come to, by environment and name; ``broken_hosts`` are the others, by path.
    """

    root: str
    settings: ManifestFile[SettingsManifest] | None = None
    packages: dict[str, ManifestFile[PackageManifest]] = field(default_factory=dict)
    environments: dict[str, ManifestFile[EnvironmentManifest]] = field(default_factory=dict)
    tenants: dict[str, ManifestFile[TenantManifest]] = field(default_factory=dict)
    hosts: dict[str, dict[str, Host]] = field(default_factory=dict)
    broken_hosts: dict[str, ManifestFile[HostManifest]] = field(default_factory=dict)

    def copy(self) -> Manifests:
        """Return the same files in collections of their own."""
        hosts = {environment: dict(named) for environment, named in self.hosts.items()}
        return replace(
            self,
            packages=dict(self.packages),
            environments=dict(self.environments),
            tenants=dict(self.tenants),
            hosts=hosts,
            broken_hosts=dict(self.broken_hosts),
        )

    def keep(self, file: ManifestFile[Any]) -> None:
        """Add a file; of hosts, one that is not valid."""
        kind, name = file.place.kind, file.place.name
        if kind is FileKind.HOST:
            self.broken_hosts[file.path] = file
        elif kind is FileKind.PACKAGE:
            self.packages[name] = file
        elif kind is FileKind.ENVIRONMENT:
            self.environments[name] = file
        elif kind is FileKind.TENANT:
            self.tenants[name] = file
        else:
            self.settings = file

    def keep_host(self, host: Host) -> None:
        """Add a host whose file is valid."""
        self.hosts.setdefault(host.environment, {})[host.name] = host

    def drop(self, place: Place) -> None:
        """Take the file at a place out, if there is one; of hosts, a valid one."""
        if place.kind is FileKind.HOST:
            self.hosts.get(place.environment, {}).pop(place.name, None)
        elif place.kind is FileKind.PACKAGE:
            self.packages.pop(place.name, None)
        elif place.kind is FileKind.ENVIRONMENT:
            self.environments.pop(place.name, None)
        elif place.kind is FileKind.TENANT:
            self.tenants.pop(place.name, None)
        else:
            self.settings = None

    def all_hosts(self) -> Iterator[Host]:
        """Go through the hosts whose files are valid."""
        return chain.from_iterable(named.values() for named in self.hosts.values())

    def path_of(self, host: Host) -> str:
        """Return the path of a host's file."""
        return f"{self.root}{host.environment}/{HOSTS_FOLDER}/{host.name}.yaml"

    def environments_with_hosts(self) -> set[str]:
        """Return the names of the environments in whose folders hosts lie, whether or not they have a file."""
        named = {environment for environment, hosts in self.hosts.items() if hosts}
        return named | {file.place.environment for file in self.broken_hosts.values()}

    def resolve(self, name: str, asking: str) -> str | None:
        """Return the full name of the environment that another one means by ``name``.

        Within a tenant its own environments go first; an environment means itself only where nothing else fits.

        Args:
            name: the name as the file has it.
            asking: the full name of the environment whose file has it.

        Returns:
            ``None`` where there is no such environment.
        """
        tenant = tenant_of(asking)
        within = f"{tenant}/{name}" if tenant is not None else name
        if within in self.environments and within != asking:
            return within
        return name if name in self.environments else None
