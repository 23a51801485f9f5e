"""A working tree as a release person has it: edits, commits, and pushes to a bare repository. Real git."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pygit2
from pygit2.enums import FileStatus

AUTHOR = pygit2.Signature("Riley Release", "riley@example.com")


class Workspace:
    """A clone of a bare repository that this makes, on the branch ``main``."""

    def __init__(self, bare: Path, folder: Path) -> None:
        """Make an empty bare repository and a working tree beside it.

        Args:
            bare: where the bare repository is made.
            folder: where the working tree is made.
        """
        self.bare = bare
        self.folder = folder
        pygit2.init_repository(str(bare), bare=True, initial_head="main")
        self._git = pygit2.init_repository(str(folder), initial_head="main")
        self._git.remotes.create("origin", str(bare))

    @property
    def head(self) -> str:
        """The commit that the working tree is at."""
        return str(self._git.head.target)

    def path(self, name: str) -> Path:
        """Return where a file of the working tree lies."""
        return self.folder / name

    def write(self, files: Mapping[str, str]) -> None:
        """Write files, by their paths within the working tree."""
        for name, text in files.items():
            path = self.path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")

    def commit(self, message: str, author: pygit2.Signature = AUTHOR) -> str:
        """Commit everything that changed, and return the new commit's id."""
        self._git.index.read()
        for path, flags in self._git.status().items():
            if flags & FileStatus.WT_DELETED:
                self._git.index.remove(path)
            elif not flags & FileStatus.IGNORED:
                self._git.index.add(path)
        self._git.index.write()
        parents = [] if self._git.head_is_unborn else [self._git.head.target]
        tree = self._git.index.write_tree()
        return str(self._git.create_commit("HEAD", author, author, message, tree, parents))

    def push(self, to: str = "main", *, force: bool = False) -> None:
        """Push what is committed to a branch of the bare repository."""
        self._git.remotes["origin"].push([("+" if force else "") + f"refs/heads/main:refs/heads/{to}"])

    def publish(self, files: Mapping[str, str], message: str, to: str = "main") -> str:
        """Write files, commit and push to a branch, and return the new commit's id."""
        self.write(files)
        commit = self.commit(message)
        self.push(to)
        return commit

    def revert(self, commit: str) -> str:
        """Commit the reverse of ``commit``, the newest one, and push it; return the new commit's id."""
        undone = self._git[commit].peel(pygit2.Commit)
        ours = self._git.head.peel(pygit2.Commit)
        tree = self._git.revert_commit(undone, ours).write_tree(self._git)
        message = f'Revert "{undone.message.splitlines()[0]}"\n\nThis reverts commit {commit}.'
        made = str(self._git.create_commit("HEAD", AUTHOR, AUTHOR, message, tree, [ours.id]))
        self.reset(made)
        self.push()
        return made

    def reset(self, commit: str) -> None:
        """Put branch, index and working tree back to an earlier commit, as before a force push."""
        self._git.reset(pygit2.Oid(hex=commit), pygit2.enums.ResetMode.HARD)
