"""Checks a desired state, committed or not."""

from __future__ import annotations

from pathlib import Path

import pygit2

from reconciler.desired.loading import Loaded, load, load_folder
from reconciler.desired.repository import GitRepository, RepositoryError
from reconciler.kernel.errors import ReconcilerError


class NoSuchFolder(ReconcilerError):
    """A folder that was named and is not there."""

    reference = "no-such-folder"


def validate_folder(folder: Path) -> Loaded:
    """Check what lies in ``folder`` now, whether or not it is committed.

    Raises:
        NoSuchFolder: there is no such folder.
    """
    if not folder.is_dir():
        raise NoSuchFolder(
            "there is no such folder", where=str(folder), hint="name the folder that holds reconciler.yaml"
        )
    return load_folder(folder)


def validate_revision(folder: Path, revision: str) -> Loaded:
    """Check a commit of the repository that ``folder`` belongs to.

    Args:
        folder: the folder of the desired state within a working tree, or a bare repository.
        revision: a branch, tag or commit.

    Raises:
        RepositoryError: there is no repository there, or no such revision in it.
    """
    found = pygit2.discover_repository(str(folder.resolve()))
    if found is None:
        raise RepositoryError("this is in no git repository", where=str(folder), hint="name a folder within one")
    repository = GitRepository(Path(found))
    work_tree = repository.handle().workdir
    root = "environments"
    if work_tree is not None:
        below = folder.resolve().relative_to(Path(work_tree).resolve()).as_posix()
        root = "" if below == "." else below
    return load(repository, repository.resolve(revision), root)
