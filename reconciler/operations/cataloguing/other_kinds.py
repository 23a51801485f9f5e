"""Adds patches and programs to catalog files. Works on texts: reads and writes no file."""

from __future__ import annotations

import re
from dataclasses import replace

from reconciler.artifacts.installer_files import Patch
from reconciler.artifacts.program_file import Program
from reconciler.desired.catalog import Package, ReleaseDetails
from reconciler.desired.editing import new_patch_package
from reconciler.desired.fields import VERSION_PATTERN
from reconciler.desired.layout import CATALOG_FOLDER, NAME_HINT, NAME_PATTERN
from reconciler.desired.writing import FileRelease
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.probes import version_order
from reconciler.kernel.releases import PackageKind, PatchRelease, ProgramRelease
from reconciler.operations.cataloguing.candidate import CannotImport, OtherCandidate
from reconciler.operations.cataloguing.edits import Addition, CatalogEdits
from reconciler.operations.cataloguing.notices import Notice, NoticeKind
from reconciler.operations.cataloguing.signing import pin_for, point_out_signature

_VERSION_HINT = "say it with --version: two to four numbers with dots"


def add_other(edits: CatalogEdits, candidate: OtherCandidate, package: str | None) -> Addition[FileRelease]:
    """Add a patch or program as a release.

    Args:
        edits: the catalog.
        candidate: what to add.
        package: the package it belongs to; ``None`` only does for what is in the catalog already.

    Raises:
        CannotImport: nothing says which package or version it is, or it does not fit there.
        EditError: the catalog file cannot be edited without spoiling it.
    """
    if isinstance(candidate.identity, Patch):
        return _add_patch(edits, candidate, candidate.identity, package)
    return _add_program(edits, candidate, candidate.identity, package)


def _add_patch(
    edits: CatalogEdits, candidate: OtherCandidate, patch: Patch, package: str | None
) -> Addition[PatchRelease]:
    where = str(candidate.file)
    for other in edits.packages.values():
        for release in other.releases:
            if isinstance(release, PatchRelease) and release.patch_code == patch.patch_code:
                _refuse_other_file(other, release, candidate, package)
                return Addition(other.name, release, False, ())
    if not patch.product_codes:
        hint = "ask its vendor for one that is"
        raise CannotImport("the patch does not say which products it is for", where=where, hint=hint)
    known = _known(edits, candidate, package, PackageKind.MSP)
    if not candidate.version:
        raise CannotImport("a patch does not say which version it is", where=where, hint=_VERSION_HINT)
    _check_version(known, candidate.version, where)
    before = _preceding(known, candidate.version)
    release = PatchRelease(
        candidate.version, patch.patch_code, _pinned(candidate, before), patch.product_codes, patch.removable
    )
    details = ReleaseDetails(issue=candidate.issue, notes=candidate.notes)
    edits.write(known, release, details, lambda: new_patch_package(release, details))
    notices = list(point_out_signature(candidate.signature, before, where))
    if not patch.removable:
        message = "the patch cannot be taken off again: going back from it installs its product anew, without it"
        notices.append(Notice(where, NoticeKind.NOT_REMOVABLE, message))
    return Addition(known.name, release, True, tuple(notices))


def _add_program(
    edits: CatalogEdits, candidate: OtherCandidate, program: Program, package: str | None
) -> Addition[ProgramRelease]:
    where = str(candidate.file)
    for other in edits.packages.values():
        for release in other.releases:
            if isinstance(release, ProgramRelease) and release.artifact.sha256 == candidate.artifact.sha256:
                _refuse_other_file(other, release, candidate, package)
                return Addition(other.name, release, False, ())
    known = _known(edits, candidate, package, PackageKind.EXE)
    if known.name not in edits.packages:
        raise CannotImport(
            f"there is no package {known.name} yet, and a program does not say how it is found on a host",
            where=where,
            hint=f"write {CATALOG_FOLDER}/{known.name}.yaml first, with kind: exe and detect, and import again",
        )
    version, notices = candidate.version, []
    if not version:
        version = next((said for said in program.versions if re.fullmatch(VERSION_PATTERN, said)), "")
        if not version:
            raise CannotImport("the program does not say which version it is", where=where, hint=_VERSION_HINT)
        message = f"took the version {version} from the file: it must be what a host is found to have afterwards"
        notices.append(Notice(where, NoticeKind.VERSION_FROM_FILE, message))
    _check_version(known, version, where)
    assert known.detect is not None
    # How the program is installed and removed stands in the package's file, for all its releases.
    before = _preceding(known, version)
    notices += point_out_signature(candidate.signature, before, where)
    release = ProgramRelease(version, _pinned(candidate, before), known.detect)
    details = ReleaseDetails(issue=candidate.issue, notes=candidate.notes)
    edits.write(known, release, details, lambda: "")
    return Addition(known.name, release, True, tuple(notices))


def _known(edits: CatalogEdits, candidate: OtherCandidate, package: str | None, kind: PackageKind) -> Package:
    where = str(candidate.file)
    if package is None:
        what = "nothing in the file says which package it belongs to"
        raise CannotImport(what, where=where, hint="say it with --package")
    if re.fullmatch(NAME_PATTERN, package) is None:
        raise CannotImport(f"{package!r} cannot name a package", hint=NAME_HINT)
    edits.demand_kind(package, kind, where)
    return edits.packages.get(package) or Package(package, "", (), kind=kind)


def _preceding(known: Package, version: str) -> FileRelease | None:
    """Return the release before ``version``, or the lowest where there is none before it."""
    files = [release for release in known.releases if isinstance(release, PatchRelease | ProgramRelease)]
    lower = [release for release in files if release.order <= version_order(version)]
    if lower:
        return max(lower, key=lambda release: release.order)
    return min(files, key=lambda release: release.order, default=None)


def _pinned(candidate: OtherCandidate, before: FileRelease | None) -> Artifact:
    return replace(candidate.artifact, signer=pin_for(candidate.signature, before))


def _check_version(known: Package, version: str, where: str) -> None:
    if re.fullmatch(VERSION_PATTERN, version) is None:
        raise CannotImport(f"{version!r} is not a version", where=where, hint=_VERSION_HINT)
    taken = next((r.version for r in known.releases if r.order == version_order(version)), None)
    if taken is not None:
        hint = "each file that is released needs a version of its own"
        raise CannotImport(f"{known.name} has a release {taken} already, of another file", where=where, hint=hint)


def _refuse_other_file(
    known: Package, release: PatchRelease | ProgramRelease, candidate: OtherCandidate, package: str | None
) -> None:
    """Refuse a file that is in the catalog already, where it is to become something else there."""
    where = str(candidate.file)
    this = f"{known.name} {release.version}"
    if release.artifact.sha256 != candidate.artifact.sha256:
        hint = "each build needs a PatchCode of its own: ask its vendor for one that has"
        raise CannotImport(f"it has the PatchCode of {this}, but is another file", where=where, hint=hint)
    if package not in (None, known.name) or candidate.version not in ("", release.version):
        hint = "one file is one release: leave --package and --version out, or change the catalog by hand"
        raise CannotImport(f"the catalog has this file already, as {this}", where=where, hint=hint)
