"""Checks a desired state, committed or not."""

from __future__ import annotations

from pathlib import Path

import pygit2

from reconciler.desired.findings import Problem, Rule
from reconciler.desired.loading import DEFAULT_ROOT, Loaded, in_order, load_source
from reconciler.desired.model import UNCOMMITTED
from reconciler.desired.reading import located
from reconciler.desired.repository import GitRepository, RepositoryError
from reconciler.desired.sources import CommitSource, FolderSource, Source
from reconciler.grants.model import Grants
from reconciler.grants.uses import refused_channels, refused_hosts
from reconciler.kernel.errors import ReconcilerError


class NoSuchFolder(ReconcilerError):
    """A folder that was named and is not there."""

    reference = "no-such-folder"


def validate(folder: Path, revision: str | None = None, grants: Grants | None = None) -> Loaded:
    """Check a desired state.

    Args:
        folder: the folder of the desired state within a working tree, or a bare repository.
        revision: a branch, tag or commit of the repository that it belongs to; without one, what lies there now
            is checked, whether or not it is committed.
        grants: what the server's configuration grants; without it, names of grants are not checked.

    Raises:
        NoSuchFolder: there is no such folder.
        RepositoryError: there is no repository there, or no such revision in it.
    """
    source, name = source_of(folder, revision)
    loaded = load_source(source, name)
    if loaded.state is None or grants is None:
        return loaded
    refusals = (*refused_hosts(loaded.state, grants), *refused_channels(loaded.state, grants))
    problems = (
        Problem(f"{source.root}{refused.file}", Rule.NOT_GRANTED, refused.message, refused.hint, refused.location)
        for refused in refusals
    )
    found = located(source, problems)
    return Loaded(None if found else loaded.state, in_order([*loaded.findings, *found]))


def source_of(folder: Path, revision: str | None) -> tuple[Source, str]:
    """Return where the files are, and what to call their revision.

    Args:
        folder: as for `validate`.
        revision: as for `validate`.

    Raises:
        NoSuchFolder: there is no such folder.
        RepositoryError: there is no repository there, or no such revision in it.
    """
    if revision is None:
        if not folder.is_dir():
            hint = "name the folder that holds reconciler.yaml"
            raise NoSuchFolder("there is no such folder", where=str(folder), hint=hint)
        return FolderSource(folder), UNCOMMITTED
    found = pygit2.discover_repository(str(folder.resolve()))
    if found is None:
        raise RepositoryError("this is in no git repository", where=str(folder), hint="name a folder within one")
    repository = GitRepository(Path(found))
    work_tree = repository.handle().workdir
    root = DEFAULT_ROOT
    if work_tree is not None:
        below = folder.resolve().relative_to(Path(work_tree).resolve()).as_posix()
        root = "" if below == "." else below
    commit = repository.resolve(revision)
    return CommitSource(repository, commit, root), commit
