"""The desired state at one commit: packages, environments, hosts, and what each host is to have of each package.

Pure data, already validated. Knows nothing of files, git or YAML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from reconciler.kernel.releases import Release


class Absence(Enum):
    """The one thing that can stand in a version's place."""

    ABSENT = auto()


ABSENT: Final = Absence.ABSENT
"""Wanted where a package is to be removed. A package that is not named at all is left alone."""

ABSENT_TEXT: Final = "absent"
"""How a file says `ABSENT`."""

Wanted = str | Absence
"""A release's version, or `ABSENT`."""

UNCOMMITTED: Final = "uncommitted"
"""The revision of a desired state that was read from a folder rather than from a commit."""


@dataclass(frozen=True, slots=True)
class Package:
    """A product family and its releases, in the order of its catalog file."""

    name: str
    upgrade_code: str
    releases: tuple[Release, ...]

    def release(self, version: str) -> Release | None:
        """Return the release that the catalog names ``version``, to the letter, or ``None``."""
        return next((release for release in self.releases if release.version == version), None)


@dataclass(frozen=True, slots=True)
class Environment:
    """A named set of hosts and the versions they are to have.

    ``promotes_from`` names the environment from which versions are promoted to this one.
    """

    name: str
    promotes_from: str | None = None
    packages: Mapping[str, Wanted] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Host:
    """One machine that a file names. ``packages`` go before those of its environment."""

    name: str
    environment: str
    labels: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, Wanted] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DesiredState:
    """Everything that one commit says. ``revision`` is its full id, or `UNCOMMITTED`.

    Packages, environments and hosts are in the order of their names.
    """

    revision: str
    packages: Mapping[str, Package] = field(default_factory=dict)
    environments: Mapping[str, Environment] = field(default_factory=dict)
    hosts: Mapping[str, Host] = field(default_factory=dict)
    _hosts_by_key: Mapping[str, Host] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        keyed = {host_key(name): host for name, host in self.hosts.items()}
        object.__setattr__(self, "_hosts_by_key", keyed)

    def host(self, name: str) -> Host | None:
        """Return the host that a file names ``name``, in whatever case, or ``None``."""
        return self._hosts_by_key.get(host_key(name))

    def environment_of(self, host: str, enrolled_into: str | None = None) -> str | None:
        """Return the name of the environment that a host belongs to, or ``None`` where it belongs to none.

        A file that names the host decides; else the environment that its agent enrolled into, if there is one.

        Args:
            host: the host's name, in any case.
            enrolled_into: the environment that its agent enrolled into.
        """
        named = self.host(host)
        if named is not None:
            return named.environment
        return enrolled_into if enrolled_into in self.environments else None

    def wanted(self, environment: str, host: str | None = None) -> dict[str, Release | None]:
        """Return what a host should have, by package, in the environment's order and then its own.

        Args:
            environment: the environment's name.
            host: the host's name in any case; one that no file names takes the environment's versions, and so
                does one that a file puts into another environment.

        Returns:
            the release wanted of each package, ``None`` where the package should be absent.

        Raises:
            KeyError: there is no such environment.
        """
        versions: dict[str, Wanted] = dict(self.environments[environment].packages)
        named = self.host(host) if host is not None else None
        if named is not None and named.environment == environment:
            versions.update(named.packages)
        return {package: self._release(package, version) for package, version in versions.items()}

    def _release(self, package: str, version: Wanted) -> Release | None:
        if isinstance(version, Absence):
            return None
        release = self.packages[package].release(version)
        if release is None:
            raise KeyError(f"{package} {version}")
        return release


def host_key(name: str) -> str:
    """Return the form under which host names are compared: Windows takes no account of their case."""
    return name.casefold()
