"""Real git repositories, made in a moment from a mapping of paths to texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pygit2
import pytest
from pygit2.enums import FileMode

from reconciler.desired.findings import render_text
from reconciler.desired.loading import load_folder
from reconciler.desired.model import DesiredState
from reconciler.desired.repository import GitRepository

Link = tuple[FileMode, str]
Files = Mapping[str, str | bytes | Link]

SIGNATURE = pygit2.Signature("Ada Author", "ada@example.com", 1_700_000_000, 120)
CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True, slots=True)
class Origin:
    """A bare repository that tests commit to."""

    folder: Path

    def commit(
        self, files: Files, branch: str = "main", parents: list[str] | None = None, message: str = "x"
    ) -> str:
        """Commit ``files`` as the whole tree of ``branch``; ``parents=[]`` starts its history anew."""
        repository = pygit2.Repository(str(self.folder))
        tree = write_tree(repository, files)
        name = f"refs/heads/{branch}"
        if parents is None:
            parents = [str(repository.references[name].target)] if name in repository.references else []
        commit = repository.create_commit(None, SIGNATURE, SIGNATURE, message, tree, list(parents))
        repository.references.create(name, commit, force=True)
        return str(commit)


def write_tree(repository: pygit2.Repository, files: Files) -> pygit2.Oid:
    builder = repository.TreeBuilder()
    folders: dict[str, dict[str, str | bytes | Link]] = {}
    for path, content in files.items():
        first, _, rest = path.partition("/")
        if rest:
            folders.setdefault(first, {})[rest] = content
        elif isinstance(content, tuple):
            mode, target = content
            oid = pygit2.Oid(hex=target) if mode == FileMode.COMMIT else repository.create_blob(target.encode())
            builder.insert(first, oid, mode)
        else:
            data = content.encode() if isinstance(content, str) else content
            builder.insert(first, repository.create_blob(data), FileMode.BLOB)
    for name, below in folders.items():
        builder.insert(name, write_tree(repository, below), FileMode.TREE)
    return builder.write()


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    """An empty bare repository."""
    folder = tmp_path / "origin.git"
    pygit2.init_repository(str(folder), bare=True)
    return Origin(folder)


@pytest.fixture
def repository(origin: Origin) -> GitRepository:
    """The same, as the product reads it."""
    return GitRepository(origin.folder)


@pytest.fixture
def valid() -> dict[str, str | bytes | Link]:
    """A small desired state in which nothing is wrong."""
    base = CORPUS / "base"
    return {path.relative_to(base).as_posix(): path.read_bytes() for path in base.rglob("*") if path.is_file()}


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> DesiredState:
    """The desired state of the corpus that has every key."""
    folder = tmp_path_factory.mktemp("everything")
    for case in ("base", "everything"):
        for path in (CORPUS / case).rglob("*.yaml"):
            target = folder / path.relative_to(CORPUS / case)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    loaded = load_folder(folder / "environments")
    assert loaded.state is not None, render_text(loaded.findings)
    assert loaded.findings == ()
    return loaded.state
