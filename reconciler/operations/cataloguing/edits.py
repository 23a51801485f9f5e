"""Adds releases to catalog files from what their MSIs say. Works on texts: reads and writes no file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from reconciler.artifacts.msi_file import MsiIdentity
from reconciler.desired.catalog import Architecture, Package, ReleaseDetails
from reconciler.desired.editing import add_release, new_package
from reconciler.desired.layout import NAME_HINT, NAME_PATTERN
from reconciler.desired.model import DesiredState
from reconciler.desired.writing import FileRelease
from reconciler.kernel.identity import three_fields
from reconciler.kernel.releases import MsiRelease, PackageKind
from reconciler.operations.cataloguing.candidate import Candidate, CannotImport
from reconciler.operations.cataloguing.notices import Built, Notice, NoticeKind, point_out
from reconciler.operations.cataloguing.signing import pin_for, point_out_signature

R_co = TypeVar("R_co", bound=FileRelease, covariant=True)


@dataclass(frozen=True, slots=True)
class Addition(Generic[R_co]):
    """What became of a candidate. ``added`` is False where the catalog had the release already."""

    package: str
    release: R_co
    added: bool
    notices: tuple[Notice, ...]


class CatalogEdits:
    """The catalog of a desired state, with releases added one after the other."""

    def __init__(self, desired: DesiredState, text_of: Callable[[str], str], saved_at: Built) -> None:
        """Begin with what is there.

        Args:
            desired: the desired state, valid.
            text_of: gives the text of a package's catalog file.
            saved_at: gives when a release's MSI was built, in seconds since the epoch, where that is known.
        """
        self._packages = dict(desired.packages)
        self._text_of = text_of
        self._saved_at = saved_at
        self._saved: dict[str, float | None] = {}
        self.texts: dict[str, str] = {}
        """The new text of each catalog file that changes, by package."""

    def add(self, candidate: Candidate, package: str | None) -> Addition[MsiRelease]:
        """Add a release.

        Args:
            candidate: what to add.
            package: the package it belongs to; ``None`` to go by its UpgradeCode, or to name a new package after
                the product.

        Raises:
            CannotImport: it does not fit the package, or shares a code with another release.
            EditError: the catalog file cannot be edited without spoiling it.
        """
        identity, where = candidate.identity, str(candidate.file)
        if identity.upgrade_code is None:
            raise CannotImport(
                "the MSI has no UpgradeCode, so its later versions could not be told to be of one family",
                where=where,
                hint="ask its vendor for one that has",
            )
        name, notices = self._name(candidate, identity.upgrade_code, package)
        self.demand_kind(name, PackageKind.MSI, where)
        self._refuse_foreign(identity, identity.upgrade_code, name, where)
        self._saved[identity.package_code] = identity.saved_at
        known = self._packages.get(name) or Package(name, identity.upgrade_code, ())
        present = next((r for r in known.msi_releases if r.package_code == identity.package_code), None)
        if present is not None:
            _refuse_other_file(present, candidate)
            return Addition(name, present, False, ())
        if (taken := known.release(identity.version)) is not None:
            raise CannotImport(
                f"{name} has a release {taken.version} already, of another build",
                where=where,
                hint="each build that is released needs a version of its own; a fourth field tells two apart",
            )
        before = _preceding(known, identity.version)
        release = _release(candidate, before)
        notices += point_out(candidate, release, known, before, self._built)
        notices += point_out_signature(candidate.signature, before, where)
        self._write(candidate, known, release)
        return Addition(name, release, True, tuple(notices))

    @property
    def packages(self) -> Mapping[str, Package]:
        """The packages as they are now, by name."""
        return self._packages

    def demand_kind(self, package: str, kind: PackageKind, where: str) -> None:
        """Refuse a file of another kind than its package has.

        Raises:
            CannotImport: the package is there, and of another kind.
        """
        known = self._packages.get(package)
        if known is not None and known.kind is not kind:
            what = f"{package} is a package of kind {known.kind}, and this is a file for one of kind {kind}"
            raise CannotImport(what, where=where, hint="give it a package of its own, with --package")

    def write(
        self, known: Package, release: FileRelease, details: ReleaseDetails, begin: Callable[[], str]
    ) -> None:
        """Add a release to the text of its package's file.

        Args:
            known: the package as it is.
            release: what to add.
            details: what else is to be said of it.
            begin: gives the text of a file with the release, where there is no file yet.

        Raises:
            EditError: the catalog file cannot be edited without spoiling it.
        """
        name = known.name
        if name in self._packages:
            self.texts[name] = add_release(self.texts.get(name) or self._text_of(name), release, details)
        else:
            self.texts[name] = begin()
        self._packages[name] = replace(known, releases=(*known.releases, release))

    def _name(self, candidate: Candidate, upgrade_code: str, package: str | None) -> tuple[str, list[Notice]]:
        where = str(candidate.file)
        if package is not None:
            if re.fullmatch(NAME_PATTERN, package) is None:
                raise CannotImport(f"{package!r} cannot name a package", hint=NAME_HINT)
            return package, []
        family = next((p.name for p in self._packages.values() if p.upgrade_code == upgrade_code), None)
        if family is not None:
            return family, []
        product = candidate.identity.product_name
        name = _name_after(product)
        if not name or name in self._packages:
            trouble = f"{name} is the name of another package" if name else "no name can be made of that"
            raise CannotImport(
                f"no package has its UpgradeCode {upgrade_code}, and its product is called {product!r}: {trouble}",
                where=where,
                hint="say which package it is a release of, with --package",
            )
        message = f"{name} is a new package, named after the product {product!r}; --package gives it another name"
        return name, [Notice(where, NoticeKind.NAMED_AFTER_PRODUCT, message)]

    def _refuse_foreign(self, identity: MsiIdentity, upgrade_code: str, package: str, where: str) -> None:
        """Refuse an MSI whose codes say that it belongs to another package."""
        known = self._packages.get(package)
        if known is not None and known.upgrade_code != upgrade_code:
            raise CannotImport(
                f"its UpgradeCode {upgrade_code} is not that of {package} ({known.upgrade_code})",
                where=where,
                hint="Windows would install it beside the other releases: give it a package of its own",
            )
        for other in self._packages.values():
            if other.name == package:
                continue
            if other.upgrade_code == upgrade_code:
                hint = f"import it with --package {other.name}"
                raise CannotImport(f"its UpgradeCode is that of {other.name}", where=where, hint=hint)
            for release in other.msi_releases:
                if identity.product_code == release.product_code or identity.package_code == release.package_code:
                    hint = "two products cannot share one: ask their vendor for a package with codes of its own"
                    what = f"it shares a code with {other.name} {release.version}"
                    raise CannotImport(what, where=where, hint=hint)

    def _built(self, release: MsiRelease) -> float | None:
        if release.package_code not in self._saved:
            self._saved[release.package_code] = self._saved_at(release)
        return self._saved[release.package_code]

    def _write(self, candidate: Candidate, known: Package, release: MsiRelease) -> None:
        architecture = Architecture(candidate.identity.architecture)
        details = ReleaseDetails(architecture, issue=candidate.issue, notes=candidate.notes)
        self.write(known, release, details, lambda: new_package(known.upgrade_code, release, details))


def _release(candidate: Candidate, before: MsiRelease | None) -> MsiRelease:
    identity = candidate.identity
    return MsiRelease(
        identity.version,
        identity.product_code,
        identity.package_code,
        replace(candidate.artifact, signer=pin_for(candidate.signature, before)),
        before.properties if before is not None else (),
        tuple(artifact for _, artifact, _ in candidate.transforms),
        features=before.features if before is not None else (),
    )


def _preceding(known: Package, version: str) -> MsiRelease | None:
    """Return the release before ``version``, or the lowest where there is none before it."""
    lower = [release for release in known.msi_releases if release.three_fields <= three_fields(version)]
    if lower:
        return max(lower, key=lambda release: release.three_fields)
    return min(known.msi_releases, key=lambda release: release.three_fields, default=None)


def _refuse_other_file(present: MsiRelease, candidate: Candidate) -> None:
    """Two files with one PackageCode are refused: Windows would run the one it has cached.

    Source: learn.microsoft.com/windows/win32/msi/package-codes
    """
    if present.artifact.sha256 != candidate.artifact.sha256:
        raise CannotImport(
            f"it has the PackageCode of release {present.version}, but is another file",
            where=str(candidate.file),
            hint="each build needs a PackageCode of its own; Windows would go on running the file it has cached",
        )


def _name_after(product: str) -> str:
    """Return a package name made from a product's, without version, bitness and brackets; may be empty."""
    plain = re.sub(r"\([^)]*\)|\bv?\d+(?:\.\d+)+\b|\b(?:x64|x86|arm64|(?:32|64)[ -]?bit)\b", " ", product.lower())
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
