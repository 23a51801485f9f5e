"""Reads commits, trees and files out of a git repository, without a checkout. Never writes to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pygit2

from reconciler.desired.git_command import GitTimeout, NoGit, run_git
from reconciler.desired.suggestions import closest
from reconciler.desired.trees import Change, EntryKind, MalformedTree, TreeEntry, changes, looks_flat, walk
from reconciler.kernel.errors import ReconcilerError

MOST_REMEMBERED = 10_000
"""Trees of which it is remembered whether they hold folders."""

_MERGE_BASE_SECONDS = 30.0

Listed = TypeVar("Listed", TreeEntry, Change)


class RepositoryError(ReconcilerError):
    """A git repository, branch or commit that cannot be read."""

    reference = "repository"


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
        self._flat: dict[pygit2.Oid, bool] = {}
        self._bases: dict[tuple[str, str], tuple[str, ...]] = {}
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

    def message(self, commit: str) -> str:
        """Return all of a commit's message.

        Raises:
            RepositoryError: there is no such commit.
        """
        return str(self._commit(commit).message)

    def branches(self, prefix: str) -> dict[str, str]:
        """Return the branches whose names start with ``prefix``, each with the id of its newest commit."""
        branches = self.handle().branches.local
        return {name: self.head(name) for name in branches if name.startswith(prefix)}

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

    def first_parents(self, newest: str, until: str) -> tuple[str, ...] | None:
        """Return the commits from ``until``, left out, to ``newest`` along first parents, the oldest first.

        Returns:
            ``None`` where ``until`` is not on that line.

        Raises:
            RepositoryError: there is no commit ``newest``.
        """
        line: list[str] = []
        commit = self._commit(newest)
        while str(commit.id) != until:
            line.append(str(commit.id))
            if not commit.parents:
                return None
            commit = commit.parents[0]
        return tuple(reversed(line))

    def newest_shared(self, newest: str, other: str) -> str | None:
        """Return the newest commit along the first parents of ``newest`` that ``other`` builds on, or ``None``.

        Raises:
            RepositoryError: there is no commit ``newest``.
        """
        commit: pygit2.Commit | None = self._commit(newest)
        if other not in self.handle():
            return None
        while commit is not None and not self.is_ancestor(str(commit.id), other):
            commit = commit.parents[0] if commit.parents else None
        return str(commit.id) if commit is not None else None

    def merge_bases(self, one: str, other: str) -> tuple[str, ...]:
        """Return the newest common ancestors of two commits: several where branches were merged crosswise.

        Raises:
            RepositoryError: a commit is missing, or git cannot be run.
        """
        if self.is_ancestor(one, other):
            return (one,)
        if self.is_ancestor(other, one):
            return (other,)
        if (one, other) in self._bases:
            return self._bases[one, other]
        try:
            ended = run_git(self.folder, "merge-base", "--all", one, other, timeout=_MERGE_BASE_SECONDS)
        except (NoGit, GitTimeout) as error:
            what = f"cannot find what {one[:10]} and {other[:10]} have in common: {error or 'there is no git'}"
            raise RepositoryError(what, where=str(self.folder), hint="install git") from error
        if len(self._bases) >= MOST_REMEMBERED:
            self._bases.clear()
        found = self._bases[one, other] = tuple(ended.output.split()) if ended.exit_code == 0 else ()
        return found

    def merge(self, ours: str, theirs: str) -> pygit2.Index | None:
        """Return what merging two commits comes to, by one common ancestor; ``None`` where they have none.

        Everybody who makes a merge, foretells one or checks one does it by this, so that all come to the same.

        Raises:
            RepositoryError: a commit is missing, or the two cannot be put together.
        """
        handle = self.handle()
        one, other = self._commit(ours), self._commit(theirs)
        try:
            base = handle.merge_base(one.id, other.id)
            if not base:
                return None
            return handle.merge_trees(handle[base].peel(pygit2.Tree), one.tree, other.tree)
        except (KeyError, ValueError, pygit2.GitError) as error:
            raise RepositoryError(
                f"cannot merge {theirs[:10]} into {ours[:10]}: {error}", where=str(self.folder)
            ) from error

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
            RepositoryError: there is no such commit; or, while walking, a folder is missing, damaged or malformed.
        """
        tree = self._folder(commit, root)
        return None if tree is None else self._guarded(walk(tree, f"{root}/" if root else ""), root)

    def folder_id(self, commit: str, root: str = "") -> str | None:
        """Return the id of the tree of the folder ``root``, or ``None``; equal ids mean equal files below.

        Raises:
            RepositoryError: there is no such commit.
        """
        tree = self._folder(commit, root)
        return str(tree.id) if tree is not None else None

    def changes(self, old: str, new: str, root: str = "") -> Iterator[Change] | None:
        """List what differs between two trees of the folder ``root``, by their ids.

        A path may come twice: as gone, and then with what stands there now.

        Returns:
            the changes; ``None`` where the old tree is gone from the repository.

        Raises:
            RepositoryError: while going through them, a folder is missing or damaged.
        """
        handle = self.handle()
        before = handle.get(old)
        if not isinstance(before, pygit2.Tree):
            return None
        found = changes(before, handle[new].peel(pygit2.Tree), f"{root}/" if root else "", self._is_flat)
        return self._guarded(found, root)

    def find(self, commit: str, path: str) -> TreeEntry | None:
        """Return the file at a path of a commit; ``None`` where there is none.

        Raises:
            RepositoryError: there is no such commit.
        """
        folder, _, name = path.rpartition("/")
        tree = self._folder(commit, folder)
        found = tree[name] if tree is not None and name in tree else None
        return TreeEntry(path, EntryKind.FILE, str(found.id)) if isinstance(found, pygit2.Blob) else None

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

    def _guarded(self, found: Iterator[Listed], root: str) -> Iterator[Listed]:
        try:
            yield from found
        except (KeyError, MalformedTree, pygit2.GitError) as error:
            raise self._damaged(f"a folder below {root or 'the top'}", error) from error

    def _is_flat(self, tree: pygit2.Oid) -> bool:
        """Return whether a tree surely holds no folder. Asked again for each commit, it remembers."""
        if tree not in self._flat:
            if len(self._flat) >= MOST_REMEMBERED:
                self._flat.clear()
            self._flat[tree] = looks_flat(self.handle().odb.read(tree)[1])
        return self._flat[tree]

    def _folder(self, commit: str, root: str) -> pygit2.Tree | None:
        tree: pygit2.Tree | None = self._commit(commit).tree
        for name in root.split("/") if root else ():
            found = tree[name] if tree is not None and name in tree else None
            tree = found if isinstance(found, pygit2.Tree) else None
        return tree

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
