"""Reads commits, trees and files out of a git repository, without a checkout. Never writes to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pygit2
from pygit2.enums import FileMode

from reconciler.desired.suggestions import closest
from reconciler.kernel.errors import ReconcilerError

DEEPEST_FOLDER = 4
"""Levels of folders below the root that are looked into; the format itself needs two."""


class RepositoryError(ReconcilerError):
    """A git repository, branch or commit that cannot be read."""

    reference = "repository"


class EntryKind(Enum):
    """What stands at a path of a tree."""

    FILE = "file"
    SYMLINK = "symlink"
    SUBMODULE = "submodule"
    DEEP_FOLDER = "deep folder"


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """What stands at ``path`` (within the repository). ``oid`` is the object's id: equal ids, equal bytes."""

    path: str
    kind: EntryKind
    oid: str


@dataclass(frozen=True, slots=True)
class Commit:
    """Who committed what when. Times are in seconds since the epoch."""

    id: str
    parents: tuple[str, ...]
    subject: str
    author: str
    author_email: str
    authored_at: int
    committer: str
    committer_email: str
    committed_at: int


class GitRepository:
    """A repository on this machine, bare or not. Safe to share: each thread reads through a handle of its own."""

    def __init__(self, folder: Path) -> None:
        """Open the repository in ``folder``.

        Raises:
            RepositoryError: there is none, or one that libgit2 cannot read.
        """
        self.folder = folder
        self._handles = threading.local()
        self.handle()

    def handle(self) -> pygit2.Repository:
        """Return this thread's own libgit2 handle."""
        handle: pygit2.Repository | None = getattr(self._handles, "handle", None)
        if handle is None:
            handle = self._handles.handle = _open(self.folder)
        return handle

    def head(self, branch: str) -> str:
        """Return the id of the newest commit on a branch.

        Raises:
            RepositoryError: there is no such branch.
        """
        handle = self.handle()
        try:
            return str(handle.references[f"refs/heads/{branch}"].peel(pygit2.Commit).id)
        except (KeyError, ValueError, pygit2.GitError) as error:
            near = closest(branch, handle.branches.local)
            hint = f"did you mean {near}?" if near else "push a first commit to it, or name another branch"
            raise RepositoryError(f"there is no branch {branch!r}", where=str(self.folder), hint=hint) from error

    def resolve(self, revision: str) -> str:
        """Return the full id of the commit that ``revision`` (a branch, tag, id or ``main~2``) stands for.

        Raises:
            RepositoryError: it stands for none.
        """
        try:
            return str(self.handle().revparse_single(revision).peel(pygit2.Commit).id)
        except (KeyError, ValueError, pygit2.GitError) as error:
            what = f"{revision!r} does not name a commit"
            raise RepositoryError(what, where=str(self.folder), hint="git log --oneline lists commits") from error

    def commit(self, commit: str) -> Commit:
        """Return what is on record about a commit.

        Raises:
            RepositoryError: there is no such commit.
        """
        found = self._commit(commit)
        return Commit(
            id=str(found.id),
            parents=tuple(str(parent) for parent in found.parent_ids),
            subject=found.message.strip().partition("\n")[0],
            author=found.author.name,
            author_email=found.author.email,
            authored_at=found.author.time,
            committer=found.committer.name,
            committer_email=found.committer.email,
            committed_at=found.committer.time,
        )

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Return whether ``newer`` builds on ``older``. ``False`` tells of a force push.

        An ``older`` that is gone from the repository is no ancestor.

        Raises:
            RepositoryError: there is no commit ``newer``.
        """
        descendant = self._commit(newer)
        if older == newer:
            return True
        handle = self.handle()
        return older in handle and bool(handle.descendant_of(descendant.id, older))

    def changed_paths(self, old: str, new: str, root: str = "") -> tuple[str, ...]:
        """Return the paths below ``root`` that differ between two commits, sorted.

        Raises:
            RepositoryError: a commit is missing.
        """
        diff = self._commit(old).tree.diff_to_tree(self._commit(new).tree)
        paths = {file.path for delta in diff.deltas for file in (delta.old_file, delta.new_file)}
        prefix = f"{root}/" if root else ""
        return tuple(sorted(path for path in paths if path.startswith(prefix)))

    def entries(self, commit: str, root: str = "") -> Iterator[TreeEntry] | None:
        """Walk a commit's tree below the folder ``root`` (the whole tree where it is empty), in git's order.

        Folders more than `DEEPEST_FOLDER` levels down are named, not entered: a tree can hold itself ten times
        over at each of its levels.

        Returns:
            the entries; ``None`` where the commit has no such folder.

        Raises:
            RepositoryError: there is no such commit; or, while walking, a folder is missing or damaged.
        """
        tree: pygit2.Tree | None = self._commit(commit).tree
        for name in root.split("/") if root else ():
            found = tree[name] if tree is not None and name in tree else None
            tree = found if isinstance(found, pygit2.Tree) else None
        return None if tree is None else self._walk(tree, f"{root}/" if root else "")

    def size(self, oid: str) -> int:
        """Return the size of an object in bytes, without reading it.

        Raises:
            RepositoryError: the object is missing or damaged.
        """
        try:
            return int(self.handle().odb.read_header(oid)[1])
        except (KeyError, pygit2.GitError) as error:
            raise self._damaged(f"object {oid}", error) from error

    def read(self, oid: str) -> bytes:
        """Return the bytes of a file by its object id. Ask for its `size` first: it is read into memory.

        Raises:
            RepositoryError: the object is missing or damaged.
        """
        try:
            return self.handle().odb.read(oid)[1]
        except (KeyError, pygit2.GitError) as error:
            raise self._damaged(f"object {oid}", error) from error

    def _walk(self, tree: pygit2.Tree, prefix: str) -> Iterator[TreeEntry]:
        try:
            yield from _walk(tree, prefix, 0)
        except (KeyError, pygit2.GitError) as error:
            raise self._damaged(f"a folder below {prefix or 'the top'}", error) from error

    def _damaged(self, what: str, error: Exception) -> RepositoryError:
        return RepositoryError(
            f"{what} cannot be read: {error}", where=str(self.folder), hint="run git fsck there"
        )

    def _commit(self, commit: str) -> pygit2.Commit:
        try:
            return self.handle()[commit].peel(pygit2.Commit)
        except (KeyError, ValueError, pygit2.GitError) as error:
            hint = "it may have been dropped by a force push; git cat-file -t tells"
            raise RepositoryError(f"there is no commit {commit}", where=str(self.folder), hint=hint) from error


def _open(folder: Path) -> pygit2.Repository:
    try:
        return pygit2.Repository(str(folder))
    except pygit2.GitError as error:
        text = str(error)
        what, hint = f"cannot open the git repository: {text}", "name the folder of a git repository, bare or not"
        if "object format" in text:
            what = "the repository uses SHA-256 object ids"
            hint = "only repositories with SHA-1 ids can be read: make one with git init --object-format=sha1"
        elif "extension" in text or "reftable" in text:
            what = f"the repository uses a newer format: {text}"
            hint = "make a copy in the usual one: git clone --bare --ref-format=files"
        elif "owned" in text:
            hint = f"run: git config --global --add safe.directory {folder}"
        raise RepositoryError(what, where=str(folder), hint=hint) from error


def _walk(tree: pygit2.Tree, prefix: str, depth: int) -> Iterator[TreeEntry]:
    for item in tree:
        path, oid = f"{prefix}{item.name}", str(item.id)
        if item.filemode == FileMode.TREE:
            if depth < DEEPEST_FOLDER:
                assert isinstance(item, pygit2.Tree)
                yield from _walk(item, f"{path}/", depth + 1)
            else:
                yield TreeEntry(path, EntryKind.DEEP_FOLDER, oid)
        elif item.filemode == FileMode.LINK:
            yield TreeEntry(path, EntryKind.SYMLINK, oid)
        elif item.filemode == FileMode.COMMIT:
            yield TreeEntry(path, EntryKind.SUBMODULE, oid)
        else:
            yield TreeEntry(path, EntryKind.FILE, oid)
