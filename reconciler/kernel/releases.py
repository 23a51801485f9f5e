"""Artifacts and releases: what can be installed, and how it is told apart."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.kernel.identity import ThreeFields, three_fields


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file, kept by its hash.

    ``file_name`` is the name the vendor gave it: a minor update may look for its source under that name.
    ``size`` is in bytes, ``sha256`` in lower-case hexadecimal.
    """

    sha256: str
    size: int
    file_name: str


@dataclass(frozen=True, slots=True)
class Release:
    """One version of a package, told apart by its codes and never by a display name.

    ``properties`` are public Windows Installer properties (upper-case names) given at install, ``transforms``
    the transforms applied to the MSI, in this order. ``reboot_expected`` says that installing it is known to
    ask for a reboot.
    """

    version: str
    product_code: str
    package_code: str
    artifact: Artifact
    properties: tuple[tuple[str, str], ...] = ()
    transforms: tuple[Artifact, ...] = ()
    reboot_expected: bool = False

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """Every file that installing it takes: the MSI, then its transforms."""
        return (self.artifact, *self.transforms)

    @property
    def three_fields(self) -> ThreeFields:
        """The fields of the version that Windows compares."""
        return three_fields(self.version)
