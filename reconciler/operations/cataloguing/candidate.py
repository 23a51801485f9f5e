"""Reads the files that are to become a release, and keeps them. Knows no catalog."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reconciler.artifacts.installer_files import InstallerKind, Transform, kind_of, read_patch, read_transform
from reconciler.artifacts.msi_file import MsiIdentity, read_msi
from reconciler.artifacts.store import ArtifactStore, describe
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.errors import ReconcilerError


class CannotImport(ReconcilerError):
    """A file that cannot become a release of the package it was meant for."""

    reference = "cannot-import"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An MSI that is to become a release: what it says of itself, and what it is installed with."""

    file: Path
    identity: MsiIdentity
    artifact: Artifact
    transforms: tuple[tuple[Path, Artifact, Transform], ...] = ()
    issue: str = ""
    notes: str = ""


def read_candidate(file: Path, transforms: tuple[Path, ...] = (), issue: str = "", notes: str = "") -> Candidate:
    """Read a file that is to become a release.

    Args:
        file: the MSI.
        transforms: the transforms that it is installed with, in order.
        issue: the issue that the release belongs to: a link or a key.
        notes: what else people should know of it.

    Raises:
        CannotImport: it is a patch or a transform, not an MSI.
        UnreadableMsi: it is no Windows Installer file, or lacks its identity; or a transform is none.
        ArtifactError: a file cannot be read.
    """
    kind = kind_of(file)
    if kind is InstallerKind.PATCH:
        patch = read_patch(file)
        raise CannotImport(
            f"this is a patch ({patch.patch_code}, for {', '.join(patch.product_codes) or 'unnamed products'})",
            where=str(file),
            hint="patches (.msp) come with a later release of Reconciler; import a full MSI of that version",
        )
    if kind is InstallerKind.TRANSFORM:
        raise CannotImport(
            "this is a transform, which changes how an MSI installs",
            where=str(file),
            hint="import its MSI, and name the transform with --transform",
        )
    identity = read_msi(file)
    read = tuple((path, describe(path), read_transform(path)) for path in transforms)
    return Candidate(file, identity, describe(file), read, issue, notes)


def keep_files(artifacts: ArtifactStore, candidate: Candidate) -> None:
    """Keep the MSI and its transforms as artifacts. Doing it again changes nothing.

    Raises:
        ArtifactError: a file cannot be kept.
        CannotImport: a file has changed since it was read.
    """
    for path, artifact in ((candidate.file, candidate.artifact), *((p, a) for p, a, _ in candidate.transforms)):
        if artifacts.add(path).sha256 != artifact.sha256:
            raise CannotImport("the file changed while it was read", where=str(path), hint="try again")
