"""Reads the files that are to become a release, and keeps them. Knows no catalog."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reconciler.artifacts.installer_files import (
    InstallerKind,
    Patch,
    Transform,
    kind_of,
    read_patch,
    read_transform,
)
from reconciler.artifacts.msi_file import MsiIdentity, read_msi
from reconciler.artifacts.program_file import Program, read_program
from reconciler.artifacts.signatures import NoSignatureTool, carries_signature, signature_of
from reconciler.artifacts.store import ArtifactStore, describe
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.signatures import Signature, Trust, shortcoming

_BROKEN = frozenset({Trust.CHANGED, Trust.UNKNOWN})
"""Signatures of which no release is made: somebody may have changed the file."""

_PROGRAM = ".exe"


class CannotImport(ReconcilerError):
    """A file that cannot become a release of the package it was meant for."""

    reference = "cannot-import"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An MSI that is to become a release: what it says of itself, who signed it, and what it is installed with.

    ``signature`` is ``None`` where the file has one, but the program that checks it is missing here.
    """

    file: Path
    identity: MsiIdentity
    artifact: Artifact
    signature: Signature | None
    transforms: tuple[tuple[Path, Artifact, Transform], ...] = ()
    issue: str = ""
    notes: str = ""


@dataclass(frozen=True, slots=True)
class OtherCandidate:
    """A patch or program that is to become a release; ``version`` is what a person said, and may be empty.

    ``signature`` is as for an MSI.
    """

    file: Path
    identity: Patch | Program
    artifact: Artifact
    signature: Signature | None
    version: str = ""
    issue: str = ""
    notes: str = ""


def read_other(
    file: Path, version: str = "", issue: str = "", notes: str = "", roots: Path | None = None
) -> OtherCandidate | None:
    """Read a patch or program that is to become a release; ``None`` where the file is neither.

    Args:
        file: the file. A patch is told by what it is; a program must be called one, since Windows goes by that.
        version: the version that a person gives it.
        issue: the issue that the release belongs to: a link or a key.
        notes: what else people should know of it.
        roots: a PEM file with the authorities that are trusted to sign; without it, those of the system.

    Raises:
        CannotImport: it is not as it was signed.
        UnreadableMsi, UnreadableProgram, ArtifactError: it cannot be read.
    """
    identity: Patch | Program
    if kind_of(file) is InstallerKind.PATCH:
        identity = read_patch(file)
        signed = carries_signature(file)
    elif file.suffix.lower() == _PROGRAM:
        identity = read_program(file)
        signed = identity.is_signed
    else:
        return None
    return OtherCandidate(
        file, identity, describe(file), _signature(file, roots, signed=signed), version, issue, notes
    )


def read_candidate(
    file: Path, transforms: tuple[Path, ...] = (), issue: str = "", notes: str = "", roots: Path | None = None
) -> Candidate:
    """Read a file that is to become a release.

    Args:
        file: the MSI.
        transforms: the transforms that it is installed with, in order.
        issue: the issue that the release belongs to: a link or a key.
        notes: what else people should know of it.
        roots: a PEM file with the authorities that are trusted to sign; without it, those of the system.

    Raises:
        CannotImport: it is a patch or a transform, not an MSI; or it is not as it was signed.
        UnreadableMsi: it is no Windows Installer file, or lacks its identity; or a transform is none.
        ArtifactError: a file cannot be read.
    """
    kind = kind_of(file)
    if kind is InstallerKind.PATCH:
        patch = read_patch(file)
        raise CannotImport(
            f"this is a patch ({patch.patch_code}, for {', '.join(patch.product_codes) or 'unnamed products'})",
            where=str(file),
            hint="add it with reconciler import, and ask for it in the environment's file by hand",
        )
    if kind is InstallerKind.TRANSFORM:
        raise CannotImport(
            "this is a transform, which changes how an MSI installs",
            where=str(file),
            hint="import its MSI, and name the transform with --transform",
        )
    identity = read_msi(file)
    signature = _signature(file, roots, signed=carries_signature(file))
    read = tuple((path, describe(path), read_transform(path)) for path in transforms)
    return Candidate(file, identity, describe(file), signature, read, issue, notes)


def keep_files(artifacts: ArtifactStore, candidate: Candidate | OtherCandidate) -> None:
    """Keep a file, and an MSI's transforms, as artifacts. Doing it again changes nothing.

    Raises:
        ArtifactError: a file cannot be kept.
        CannotImport: a file has changed since it was read.
    """
    transforms = candidate.transforms if isinstance(candidate, Candidate) else ()
    for path, artifact in ((candidate.file, candidate.artifact), *((p, a) for p, a, _ in transforms)):
        if artifacts.add(path).sha256 != artifact.sha256:
            raise CannotImport("the file changed while it was read", where=str(path), hint="try again")


def _signature(file: Path, roots: Path | None, *, signed: bool) -> Signature | None:
    """Return what is known of a file's signature; ``None`` where the program that checks it is missing.

    Raises:
        CannotImport: it is not as it was signed.
    """
    if not signed:
        return Signature(Trust.NOT_SIGNED)
    try:
        signature = signature_of(file, roots)
    except NoSignatureTool:
        return None
    if signature.trust in _BROKEN:
        raise CannotImport(
            f"it is signed, but {shortcoming(signature)}",
            where=str(file),
            hint="get the file from its vendor again; do not deploy this one",
        )
    return signature
