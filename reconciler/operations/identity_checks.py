"""Holds what a file says of itself against what the catalog says of the release. Runs nothing of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconciler.artifacts.installer_files import read_patch
from reconciler.artifacts.msi_file import UnreadableMsi, read_msi
from reconciler.artifacts.program_file import UnreadableProgram, read_program
from reconciler.desired.catalog import Package, ReleaseDetails
from reconciler.desired.findings import Location, Problem, Rule
from reconciler.kernel.identity import three_fields
from reconciler.kernel.releases import MsiRelease, PatchRelease, ProgramRelease

_HINT = "check which file is meant: reconciler import reads all of this from it"


@dataclass(frozen=True, slots=True)
class Spot:
    """A release's place in the catalog."""

    path: str
    within: Location

    def problem(self, rule: Rule, message: str, hint: str, *keys: str | int) -> Problem:
        """Return what is wrong with the value at ``keys`` of the release."""
        return Problem(self.path, rule, message, hint, (*self.within, *keys))


def check_identity(
    spot: Spot,
    file: Path,
    package: Package,
    release: MsiRelease | PatchRelease | ProgramRelease,
    details: ReleaseDetails,
) -> Iterator[Problem]:
    """Yield what a file says otherwise than the catalog.

    Args:
        spot: the release's place in the catalog.
        file: the file, whose content is known to be the one meant.
        package: the release's package.
        release: what the catalog says.
        details: what it says besides.
    """
    try:
        match release:
            case MsiRelease():
                yield from _check_msi(spot, file, package, release, details)
            case PatchRelease():
                yield from _check_patch(spot, file, release)
            case ProgramRelease():
                # An installer is often versioned apart from what it installs, so that is not compared.
                read_program(file)
    except (UnreadableMsi, UnreadableProgram) as error:
        yield spot.problem(Rule.UNREADABLE_ARTIFACT, error.what, error.hint or "", "artifact", "file")


def _check_patch(spot: Spot, file: Path, release: PatchRelease) -> Iterator[Problem]:
    patch = read_patch(file)
    if patch.patch_code != release.patch_code:
        yield spot.problem(
            Rule.IDENTITY_MISMATCH, f"the patch's patchCode is {patch.patch_code}", _HINT, "patchCode"
        )
    if set(patch.product_codes) != set(release.targets):
        message = f"the patch is for {', '.join(patch.product_codes) or 'no product that it names'}"
        yield spot.problem(Rule.IDENTITY_MISMATCH, message, _HINT, "targets")
    if release.removable and not patch.removable:
        message = "the patch does not say that it can be taken off again"
        yield spot.problem(Rule.IDENTITY_MISMATCH, message, _HINT, "removable")


def _check_msi(
    spot: Spot, file: Path, package: Package, release: MsiRelease, details: ReleaseDetails
) -> Iterator[Problem]:
    identity = read_msi(file)
    pairs = {
        "productCode": (identity.product_code, release.product_code),
        "packageCode": (identity.package_code, release.package_code),
    }
    for key, (found, declared) in pairs.items():
        if found != declared:
            yield spot.problem(Rule.IDENTITY_MISMATCH, f"the MSI's {key} is {found}", _HINT, key)
    if three_fields(identity.version) != three_fields(release.version):
        message = f"the MSI's version is {identity.version}"
        yield spot.problem(Rule.IDENTITY_MISMATCH, message, _HINT, "version")
    if identity.upgrade_code != package.upgrade_code:
        found = identity.upgrade_code or "missing"
        message = f"the MSI's UpgradeCode is {found}; that of {package.name} is {package.upgrade_code}"
        yield spot.problem(Rule.IDENTITY_MISMATCH, message, "it is another product: give it a package of its own")
    if details.architecture is not None and identity.architecture != details.architecture:
        message = f"the MSI is for {identity.architecture}"
        yield spot.problem(Rule.IDENTITY_MISMATCH, message, _HINT, "architecture")
