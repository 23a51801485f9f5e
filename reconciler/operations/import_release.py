"""Adds releases to the catalog from their files, and keeps the files as artifacts: all that are named, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from reconciler.artifacts.installer_files import InstallerKind, Patch, kind_of
from reconciler.artifacts.msi_file import MsiIdentity, UnreadableMsi, read_msi
from reconciler.artifacts.program_file import Program
from reconciler.desired.layout import CATALOG_FOLDER
from reconciler.desired.loading import load_folder
from reconciler.desired.model import DesiredState
from reconciler.desired.writing import FileRelease
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.identity import three_fields
from reconciler.kernel.probes import VersionOrder, version_order
from reconciler.kernel.releases import MsiRelease
from reconciler.operations.cataloguing.candidate import (
    Candidate,
    CannotImport,
    OtherCandidate,
    keep_files,
    read_candidate,
    read_other,
)
from reconciler.operations.cataloguing.edits import Addition, CatalogEdits
from reconciler.operations.cataloguing.notices import Notice, NoticeKind
from reconciler.operations.cataloguing.other_kinds import add_other
from reconciler.operations.text_files import read_text, write_all
from reconciler.site import Site

_SUFFIXES = (".msi", ".msp")


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What is to be imported.

    ``paths`` are files, and folders that are searched for .msi files. ``package`` is ``None`` to go by each
    file's UpgradeCode. ``transforms``, ``issue`` and ``notes`` go with every release that is added.
    ``signing_roots`` is a PEM file with the authorities that are trusted to sign; ``None`` for the system's.
    ``version`` is that of a patch or program, which may not say its own; empty to go by the file.
    """

    paths: tuple[Path, ...]
    package: str | None = None
    transforms: tuple[Path, ...] = ()
    issue: str = ""
    notes: str = ""
    signing_roots: Path | None = None
    version: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """One release: what was read, what is kept, and its catalog file. ``added`` is False where that had it.

    ``artifact`` has the signer that the catalog pins.
    """

    file: Path
    identity: MsiIdentity | Patch | Program
    artifact: Artifact
    package: str
    version: str
    catalog_file: Path
    added: bool


@dataclass(frozen=True, slots=True)
class ImportResult:
    """Every release, by package and version, and what there is to point out."""

    releases: tuple[Imported, ...]
    notices: tuple[Notice, ...]


class SeveralProblems(CannotImport):
    """More than one reason why nothing was imported."""

    reference = "several-problems"

    def __init__(self, problems: Iterable[ReconcilerError]) -> None:
        self.problems = tuple(problems)
        lines: list[str] = []
        for problem in self.problems:
            place = f"{problem.where}: " if problem.where else ""
            lines += [f"- {place}{problem.what}", *(f"  {line}" for line in problem.details)]
            lines += [f"  hint: {problem.hint}"] if problem.hint else []
        super().__init__(f"nothing was imported, for {len(self.problems)} reasons:", details=lines)


def import_releases(site: Site, request: ImportRequest, folder: Path) -> ImportResult:
    """Import MSIs, patches and programs as releases. Doing it again changes nothing.

    Args:
        site: the installation whose artifact folder keeps the files.
        request: what to import. A file's identity is read from it, never from its name; the name is kept for
            the hosts, where a minor update may look for it.
        folder: the folder of the desired state in a working tree, which must be valid.

    Raises:
        CannotImport: the desired state is not valid, or a file does not fit its package.
        UnreadableMsi, UnreadableProgram: a file is none of these, or lacks its identity.
        SeveralProblems: more than one of these; nothing was changed.
        ArtifactError: a file cannot be kept.
        CannotWrite: a catalog file cannot be written; nothing was changed.
    """
    desired = _valid(folder)
    problems: list[ReconcilerError] = []
    notices: list[Notice] = []
    candidates = _read(request, problems, notices)
    edits = CatalogEdits(desired, lambda package: read_text(_catalog_file(folder, package)) or "", built_by(site))
    imported: list[tuple[VersionOrder, Imported]] = []
    for candidate in sorted(candidates, key=_place_of):
        addition: Addition[FileRelease]
        try:
            if isinstance(candidate, Candidate):
                addition = edits.add(candidate, request.package)
            else:
                addition = add_other(edits, candidate, request.package)
        except ReconcilerError as error:
            problems.append(error)
            continue
        notices += addition.notices
        imported.append((addition.release.order, _imported(candidate, addition, folder)))
    if problems:
        raise problems[0] if len(problems) == 1 else SeveralProblems(problems)
    for candidate in candidates:
        keep_files(site.artifacts, candidate)
    write_all({_catalog_file(folder, package): text for package, text in edits.texts.items()})
    imported.sort(key=lambda item: (item[1].package, item[0]))
    return ImportResult(tuple(item for _, item in imported), tuple(notices))


def _imported(candidate: Candidate | OtherCandidate, addition: Addition[FileRelease], folder: Path) -> Imported:
    there = _catalog_file(folder, addition.package)
    return Imported(
        candidate.file,
        candidate.identity,
        replace(candidate.artifact, signer=addition.release.artifact.signer),
        addition.package,
        addition.release.version,
        there,
        addition.added,
    )


def _place_of(candidate: Candidate | OtherCandidate) -> tuple[bool, VersionOrder, Path]:
    """Put MSIs first, oldest first: patches are for them."""
    if isinstance(candidate, Candidate):
        return False, three_fields(candidate.identity.version), candidate.file
    return True, version_order(candidate.version), candidate.file


def built_by(site: Site) -> Callable[[MsiRelease], float | None]:
    """Return what tells when a release's MSI was built: by the MSI itself, where it is kept."""

    def saved_at(release: MsiRelease) -> float | None:
        kept = site.artifacts.find(release.artifact.sha256)
        try:
            return read_msi(kept).saved_at if kept is not None else None
        except UnreadableMsi:
            return None

    return saved_at


def _valid(folder: Path) -> DesiredState:
    loaded = load_folder(folder)
    if loaded.state is None:
        first = loaded.findings[0]
        raise CannotImport(
            f"the desired state is not valid: {first.message}",
            where=f"{first.path}:{first.line}:{first.column}",
            hint=f"run reconciler validate {folder}, mend it, and import again",
        )
    return loaded.state


def _read(
    request: ImportRequest, problems: list[ReconcilerError], notices: list[Notice]
) -> list[Candidate | OtherCandidate]:
    """Return what can be read of what is asked for; add to the problems what cannot."""
    candidates: list[Candidate | OtherCandidate] = []
    for file in _files(request.paths, problems, notices):
        try:
            candidates.append(_read_one(file, request))
        except ReconcilerError as error:
            problems.append(error)
    if request.version and (len(candidates) != 1 or isinstance(candidates[0], Candidate)):
        hint = "leave it out for MSIs, which say it themselves; import patches and programs one by one"
        problems.append(CannotImport("a version goes with one patch or program only", hint=hint))
    if request.transforms and len(candidates) > 1:
        hint = "a transform is made for one MSI: import that one by itself"
        problems.append(CannotImport("transforms were named for several MSIs", hint=hint))
    return candidates


def _read_one(file: Path, request: ImportRequest) -> Candidate | OtherCandidate:
    issue, notes, roots = request.issue, request.notes, request.signing_roots
    other = read_other(file, request.version, issue, notes, roots)
    return other or read_candidate(file, request.transforms, issue, notes, roots)


def _files(paths: Iterable[Path], problems: list[ReconcilerError], notices: list[Notice]) -> list[Path]:
    """Return the files that are named, and those in folders that are named."""
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(item for item in path.rglob("*") if item.is_file())
        found += [item for item in inside if item.suffix.lower() in _SUFFIXES]
        if not any(item.suffix.lower() == ".msi" for item in inside):
            problems.append(CannotImport("there is no .msi file in this folder", where=str(path)))
        for item in inside:
            if kind_of(item) is InstallerKind.TRANSFORM:
                message = "a transform: it is applied only where --transform names it, beside its MSI"
                notices.append(Notice(str(item), NoticeKind.NOT_APPLIED, message))
    return list(dict.fromkeys(found))


def _catalog_file(folder: Path, package: str) -> Path:
    return folder / CATALOG_FOLDER / f"{package}.yaml"
