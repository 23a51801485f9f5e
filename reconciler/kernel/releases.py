"""Releases: what can be brought to a host, of four kinds, and how each is told apart."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from reconciler.kernel.artifact import Artifact
from reconciler.kernel.configuration import PlacedFile, Setting
from reconciler.kernel.identity import ThreeFields, three_fields
from reconciler.kernel.probes import Probe, VersionOrder, version_order


class PackageKind(StrEnum):
    """What a package is made of; all its releases are of one kind.

    ``MSI`` is a product family of Windows Installer, ``MSP`` patches of such products, ``EXE`` a program with an
    installer of its own, ``CONFIGURATION`` settings.
    """

    MSI = "msi"
    MSP = "msp"
    EXE = "exe"
    CONFIGURATION = "configuration"


@dataclass(frozen=True, slots=True)
class MsiRelease:
    """One version of a product family, told apart by its codes and never by a display name.

    ``properties`` are public Windows Installer properties (upper-case names) given at install, ``transforms``
    the transforms applied to the MSI, in this order. ``features`` are those to install; empty for the package's
    own choice. ``reboot_expected`` says that installing it is known to ask for a reboot.
    """

    version: str
    product_code: str
    package_code: str
    artifact: Artifact
    properties: tuple[tuple[str, str], ...] = ()
    transforms: tuple[Artifact, ...] = ()
    reboot_expected: bool = False
    features: tuple[str, ...] = ()

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """Every file that installing it takes: the MSI, then its transforms."""
        return (self.artifact, *self.transforms)

    @property
    def three_fields(self) -> ThreeFields:
        """The fields of the version that Windows compares."""
        return three_fields(self.version)

    @property
    def order(self) -> VersionOrder:
        """What releases of one package are put in order by."""
        return self.three_fields


@dataclass(frozen=True, slots=True)
class PatchRelease:
    """One patch (.msp) of installed products.

    ``targets`` are the product codes that it can be applied to, ``removable`` says that it can be taken off again
    without its product. ``properties`` are given when it is applied.

    Source: learn.microsoft.com/windows/win32/msi/patch-packages
    """

    wire_tag: ClassVar[str] = "msp"

    version: str
    patch_code: str
    artifact: Artifact
    targets: tuple[str, ...]
    removable: bool = False
    properties: tuple[tuple[str, str], ...] = ()
    reboot_expected: bool = False

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """Every file that applying it takes."""
        return (self.artifact,)

    @property
    def order(self) -> VersionOrder:
        """What releases of one package are put in order by."""
        return version_order(self.version)


@dataclass(frozen=True, slots=True)
class ProgramRelease:
    """One version of a program that brings an installer of its own.

    ``detect`` asks a host for the version it has. ``arguments`` make the installer silent; ``uninstall`` is the
    whole command line that removes the program, empty where it cannot be removed. ``success_codes`` and
    ``reboot_codes`` are the exit codes that mean success, without and with a reboot still to come.
    """

    wire_tag: ClassVar[str] = "exe"

    version: str
    artifact: Artifact
    detect: Probe
    arguments: str = ""
    uninstall: str = ""
    success_codes: tuple[int, ...] = (0,)
    reboot_codes: tuple[int, ...] = (3010, 1641)
    reboot_expected: bool = False

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """Every file that installing it takes."""
        return (self.artifact,)

    @property
    def order(self) -> VersionOrder:
        """What releases of one package are put in order by."""
        return version_order(self.version)


@dataclass(frozen=True, slots=True)
class ConfigurationRelease:
    """One version of a set of settings."""

    wire_tag: ClassVar[str] = "configuration"

    version: str
    settings: tuple[Setting, ...]
    reboot_expected: bool = False

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """Every file that setting it takes."""
        placed = (setting.artifact for setting in self.settings if isinstance(setting, PlacedFile))
        return tuple(artifact for artifact in placed if artifact is not None)

    @property
    def order(self) -> VersionOrder:
        """What releases of one package are put in order by."""
        return version_order(self.version)


Release = MsiRelease | PatchRelease | ProgramRelease | ConfigurationRelease
