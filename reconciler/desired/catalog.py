"""What a catalog says: packages and their releases. Pure data, validated; knows no host and no environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from reconciler.kernel.practice import NO_PRACTICE, Practice
from reconciler.kernel.probes import Probe
from reconciler.kernel.releases import MsiRelease, PackageKind, Release


class Architecture(StrEnum):
    """The processors that an MSI can be for."""

    X64 = "x64"
    X86 = "x86"
    ARM64 = "arm64"


@dataclass(frozen=True, slots=True)
class ReleaseDetails:
    """What a catalog file says of a release that hosts need not know.

    ``sources`` are URLs and paths where the artifact can be had, ``transform_sources`` and ``file_sources`` the
    same for each of the release's transforms, and for each of the artifacts that it places. ``issue`` is a URL or
    key. All are empty where the file says nothing.
    """

    architecture: Architecture | None = None
    sources: tuple[str, ...] = ()
    transform_sources: tuple[tuple[str, ...], ...] = ()
    issue: str = ""
    notes: str = ""
    file_sources: tuple[tuple[str, ...], ...] = ()


_NO_DETAILS: Final = ReleaseDetails()


@dataclass(frozen=True, slots=True)
class Package:
    """A product family and its releases, in the order of its catalog file.

    ``title`` is its name for people, ``owners`` the groups that answer for it, ``details`` what is known of its
    releases besides, by version. ``upgrade_code`` is that of an MSI package, empty for all others. ``practice``
    says how it wants to be handled; a check of a file's version that wants none wants the release's. ``detect`` is
    what a host is asked for the version of a program, ``None`` for all other kinds.
    """

    name: str
    upgrade_code: str
    releases: tuple[Release, ...]
    title: str = ""
    owners: tuple[str, ...] = ()
    details: Mapping[str, ReleaseDetails] = field(default_factory=dict)
    kind: PackageKind = PackageKind.MSI
    practice: Practice = NO_PRACTICE
    detect: Probe | None = None

    @property
    def msi_releases(self) -> tuple[MsiRelease, ...]:
        """The releases that are MSIs: all or none."""
        return tuple(release for release in self.releases if isinstance(release, MsiRelease))

    def release(self, version: str) -> Release | None:
        """Return the release that the catalog names ``version``, to the letter, or ``None``."""
        return next((release for release in self.releases if release.version == version), None)

    def practice_at(self, version: str) -> Practice:
        """Return how the release ``version`` wants to be handled."""
        checks = tuple(check if check.wants else replace(check, wants=version) for check in self.practice.checks)
        return self.practice if checks == self.practice.checks else replace(self.practice, checks=checks)

    def details_of(self, version: str) -> ReleaseDetails:
        """Return what is known of a release besides; empty where the file says nothing."""
        return self.details.get(version, _NO_DETAILS)
