"""Sorts what a host has into what can be adopted, what is managed already, and what is left out, and why. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from reconciler.desired.catalog import Package
from reconciler.desired.model import DesiredState
from reconciler.kernel.observation import Context, InstalledProduct, ProductState
from reconciler.kernel.releases import MsiRelease, Release


class Into(StrEnum):
    """The file that takes the versions."""

    HOST = "host"
    ENVIRONMENT = "environment"


class Obstacle(StrEnum):
    """Why a product is not adopted."""

    NO_PACKAGE = "noPackage"
    NO_RELEASE = "noRelease"
    PER_USER = "perUser"
    SIDE_BY_SIDE = "sideBySide"
    WANTED_OTHERWISE = "wantedOtherwise"


@dataclass(frozen=True, slots=True)
class Adopted:
    """A release that the host has and the proposal asks for."""

    package: str
    version: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A product that the proposal says nothing of, why, and what to do about it."""

    product: InstalledProduct
    package: str | None
    obstacle: Obstacle
    advice: str


class Sorting:
    """Sorts the products of a host into what is adopted, what is managed already, and what is left out."""

    def __init__(self, desired: DesiredState, wanted: Mapping[str, Release | None], named: frozenset[str]) -> None:
        """Begin with nothing sorted.

        Args:
            desired: the desired state, whose catalog counts.
            wanted: what is wanted of each package on the host now.
            named: the packages that are to be adopted whatever is wanted of them; empty for all others.
        """
        self._packages = desired.packages
        self._wanted = wanted
        self._named = named
        self.adopted: list[Adopted] = []
        self.managed: list[str] = []
        self.left_out: list[LeftOut] = []
        self.seen: set[str] = set()

    def sort(self, products: tuple[InstalledProduct, ...]) -> None:
        """Sort the products of the host; what came of it stands in the attributes."""
        families: dict[str, list[InstalledProduct]] = {}
        for product in products:
            if product.state is not ProductState.INSTALLED:
                continue
            package = self._package_of(product)
            if package is not None:
                families.setdefault(package.name, []).append(product)
            elif not self._named:
                advice = "import its MSI as a release of a package first: reconciler import FILE.msi"
                self._leave((product,), None, Obstacle.NO_PACKAGE, advice)
        for name in sorted(families):
            if not self._named or name in self._named:
                self.seen.add(name)
                self._family(self._packages[name], tuple(families[name]))

    def _family(self, package: Package, family: tuple[InstalledProduct, ...]) -> None:
        name = package.name
        if any(product.context is Context.USER for product in family):
            advice = "it is installed for a user; Reconciler installs for the machine: have it reinstalled so"
            self._leave(family, name, Obstacle.PER_USER, advice)
        elif len(family) > 1:
            advice = "several of one package stand side by side: remove all but one by hand first"
            self._leave(family, name, Obstacle.SIDE_BY_SIDE, advice)
        elif (release := _release_of(package, family[0])) is None:
            advice = f"import this version's MSI first: reconciler import FILE.msi --package {name}"
            self._leave(family, name, Obstacle.NO_RELEASE, advice)
        elif name in self._wanted and self._wanted[name] == release:
            self.managed.append(name)
        elif name in self._wanted and name not in self._named:
            wanted = self._wanted[name]
            advice = (
                f"{wanted.version if wanted else 'absent'} is wanted here, and will come; to have it stay as it "
                f"is, name the package: reconciler adopt HOST {name}"
            )
            self._leave(family, name, Obstacle.WANTED_OTHERWISE, advice)
        else:
            self.adopted.append(Adopted(name, release.version))

    def _leave(
        self, products: tuple[InstalledProduct, ...], package: str | None, obstacle: Obstacle, advice: str
    ) -> None:
        self.left_out += [LeftOut(product, package, obstacle, advice) for product in products]

    def _package_of(self, product: InstalledProduct) -> Package | None:
        """Return the package that a product is of: by its UpgradeCode, else by a ProductCode of the catalog."""
        for package in self._packages.values():
            if package.upgrade_code and product.upgrade_code == package.upgrade_code:
                return package
        return next(
            (
                package
                for package in self._packages.values()
                if any(release.product_code == product.product_code for release in package.msi_releases)
            ),
            None,
        )


def _release_of(package: Package, product: InstalledProduct) -> MsiRelease | None:
    """Return the release that a product is; where the host cannot tell its PackageCode, the version decides."""
    for release in package.msi_releases:
        if release.product_code == product.product_code and (
            release.package_code == product.package_code
            or (product.package_code is None and release.version == product.version)
        ):
            return release
    return None
