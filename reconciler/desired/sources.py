"""Where the files of a desired state come from: a commit, or a plain folder. Lists and reads; judges nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from reconciler.desired.repository import GitRepository
from reconciler.desired.trees import DEEPEST_FOLDER, Change, EntryKind, TreeEntry


class Source(Protocol):
    """A tree of files below a root."""

    @property
    def root(self) -> str:
        """What all paths start with: empty, or ending in a slash."""

    @property
    def shared(self) -> bool:
        """Whether other things than a desired state are to be expected: the root is the top of a repository."""

    def entries(self) -> Iterator[TreeEntry] | None:
        """List what is there; ``None`` where there is no such root."""

    def find(self, path: str) -> TreeEntry | None:
        """Return the file at a path; ``None`` where there is none."""

    def size(self, entry: TreeEntry) -> int:
        """Return the size of a file in bytes."""

    def read(self, entry: TreeEntry) -> bytes:
        """Return the bytes of a file."""


class CommitSource:
    """The files of one commit below a folder of its tree."""

    def __init__(self, repository: GitRepository, commit: str, root: str) -> None:
        self._repository = repository
        self._commit = commit
        self._folder = root.strip("/")
        self.root = f"{self._folder}/" if self._folder else ""
        self.shared = not self._folder

    def entries(self) -> Iterator[TreeEntry] | None:
        """List the files below the root, in git's order."""
        return self._repository.entries(self._commit, self._folder)

    def tree(self) -> str | None:
        """Return the id of all that is below the root; ``None`` where there is no such root."""
        return self._repository.folder_id(self._commit, self._folder)

    def changes(self, old: str, new: str) -> Iterator[Change] | None:
        """List what differs between two trees of this root; ``None`` where the old one is gone."""
        return self._repository.changes(old, new, self._folder)

    def find(self, path: str) -> TreeEntry | None:
        """Return the file at a path; ``None`` where there is none."""
        return self._repository.find(self._commit, path)

    def size(self, entry: TreeEntry) -> int:
        """Return the size of a file in bytes."""
        return self._repository.size(entry.oid)

    def read(self, entry: TreeEntry) -> bytes:
        """Return the bytes of a file."""
        return self._repository.read(entry.oid)


class FolderSource:
    """The files of a folder as they are now, committed or not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = folder.as_posix()
        self.root = "" if path == "." else f"{path.rstrip('/')}/"
        self.shared = (folder / ".git").exists()

    def entries(self) -> Iterator[TreeEntry] | None:
        """List the files below the folder, by name. Follows no link and enters no other repository."""
        return _scan(self.folder, self.root, 0) if self.folder.is_dir() else None

    def find(self, path: str) -> TreeEntry | None:
        """Return the file at a path; ``None`` where there is none."""
        file = self.folder / path.removeprefix(self.root)
        return TreeEntry(path, EntryKind.FILE, str(file)) if file.is_file() else None

    def size(self, entry: TreeEntry) -> int:
        """Return the size of a file in bytes."""
        return Path(entry.oid).stat().st_size

    def read(self, entry: TreeEntry) -> bytes:
        """Return the bytes of a file."""
        return Path(entry.oid).read_bytes()


def _scan(folder: Path, prefix: str, depth: int) -> Iterator[TreeEntry]:
    """List a folder; the place of an object id is taken by the file's own path."""
    with os.scandir(folder) as found:
        items = sorted(found, key=lambda item: item.name)
    for item in items:
        path = f"{prefix}{item.name}"
        if item.name == ".git":
            continue
        if item.is_symlink():
            yield TreeEntry(path, EntryKind.SYMLINK, item.path)
        elif item.is_file():
            yield TreeEntry(path, EntryKind.FILE, item.path)
        elif not item.is_dir():
            yield TreeEntry(path, EntryKind.SPECIAL, item.path)
        elif Path(item.path, ".git").exists():
            yield TreeEntry(path, EntryKind.SUBMODULE, item.path)
        elif depth < DEEPEST_FOLDER:
            yield from _scan(Path(item.path), f"{path}/", depth + 1)
        else:
            yield TreeEntry(path, EntryKind.DEEP_FOLDER, item.path)
