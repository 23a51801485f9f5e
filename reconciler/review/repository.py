"""The repository that the daemon holds itself: makes it, merges in it, and moves its branches. Decides nothing."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pygit2
from pygit2.enums import SortMode

import reconciler
from reconciler.desired.commits import Person
from reconciler.desired.git_command import GitTimeout, NoGit, run_git
from reconciler.desired.mirror import PRIVATE
from reconciler.desired.repository import Commit, GitRepository, RepositoryError
from reconciler.review import emergencies, hook, push_check
from reconciler.review.changed_files import ChangedFile, changed_files

BRANCHES = "refs/heads/"
MOST_COMMITS = 500
"""Commits of a change that are looked at; a change of more cannot be merged."""

_MOVE_SECONDS = 30.0
_PINS = "refs/reconciler/changes/"
_SETTINGS = {
    "receive.fsckObjects": "true",
    "receive.denyCurrentBranch": "ignore",
    "receive.advertisePushOptions": "false",
    "transfer.hideRefs": "refs/reconciler",
    "core.logAllRefUpdates": "always",
    **PRIVATE,
}


class Conflict(RepositoryError):
    """Two commits that cannot be merged without somebody's deciding between them."""

    reference = "conflict"


class HostedRepository:
    """The bare repository in the daemon's data folder.

    Args:
        folder: where it is.
        branch: the branch that is followed.

    Raises:
        RepositoryError: there is none, or it cannot be read.
    """

    def __init__(self, folder: Path, branch: str) -> None:
        self.folder = folder
        self.branch = branch
        self.git = GitRepository(folder)

    @classmethod
    def make(cls, folder: Path, branch: str) -> HostedRepository:
        """Return the repository in ``folder``, made anew (and empty) where there is none, with its hook in place.

        Args:
            folder: where it is to be.
            branch: the branch that is followed; the hook guards it.

        Raises:
            RepositoryError: it cannot be made.
        """
        try:
            if not (folder / "HEAD").exists():
                pygit2.init_repository(str(folder), bare=True, initial_head=branch)
            made = cls(folder, branch)
            config = made.git.handle().config
            for name, value in _SETTINGS.items():
                if name not in config or config[name] != value:
                    config[name] = value
            if (folder / "HEAD").read_text().strip() != f"ref: {BRANCHES}{branch}":
                made.git.handle().set_head(BRANCHES + branch)
            _write_hook(folder, branch)
        except (OSError, ValueError, pygit2.GitError) as error:
            what = f"cannot hold a repository: {error}"
            raise RepositoryError(what, where=str(folder), hint="check that its folder can be written") from error
        return made

    def refs(self) -> dict[str, str]:
        """Return where each branch is, by its full name."""
        return {BRANCHES + name: head for name, head in self.git.branches("").items()}

    def is_merged(self, commit: str, into: str) -> bool:
        """Return whether a commit is part of another's history, or is that other."""
        return self.git.is_ancestor(commit, into)

    def commits(self, base: str, head: str) -> tuple[Commit, ...]:
        """Return the commits that ``head`` has and ``base`` has not, the oldest first; `MOST_COMMITS` at most.

        Raises:
            RepositoryError: one of the two is missing.
        """
        return tuple(self.git.commit(commit) for commit in self._walk(base, head))

    def paragraph(self, commit: str) -> str:
        """Return a commit's message without its subject.

        Raises:
            RepositoryError: there is no such commit.
        """
        return self.git.message(commit).strip().partition("\n")[2].strip()

    def changed_files(self, base: str, head: str) -> tuple[ChangedFile, ...]:
        """Return what differs between two commits, by path.

        Raises:
            RepositoryError: a commit is missing.
        """
        return changed_files(self.folder, base, head)

    def merge_tree(self, base: str, head: str) -> str:
        """Return the id of the tree that merging ``head`` into ``base`` leads to.

        Raises:
            Conflict: they change the same in two ways, or have nothing in common.
            RepositoryError: one of the two is missing.
        """
        index = self.git.merge(base, head)
        if index is None:
            what = "the change has no history in common with the branch"
            raise Conflict(what, hint="build it on the branch")
        if index.conflicts is not None:
            sides = [side for conflict in index.conflicts for side in conflict if side is not None]
            paths = ", ".join(sorted({side.path for side in sides})[:10])
            raise Conflict(
                f"the change conflicts with {self.branch} in {paths}",
                hint=f"merge {self.branch} into its branch, or rebase it, and push it again",
            )
        with self._reading():
            return str(index.write_tree(self.git.handle()))

    def commit_text(self, tree: str, parents: tuple[str, ...], people: tuple[Signed, Signed], message: str) -> str:
        """Return a commit as git writes it, without keeping it.

        Args:
            tree: the id of its tree.
            parents: the ids of its parents.
            people: its author and its committer.
            message: what it says.
        """
        author, committer = (pygit2.Signature(who.name, who.mail, int(who.at), 0) for who in people)
        ids: list[str | pygit2.Oid] = [pygit2.Oid(hex=parent) for parent in parents]
        with self._reading():
            # Its type says that it returns an id; it is the text.
            return str(self.git.handle().create_commit_string(author, committer, message, tree, ids))

    def keep_commit(self, text: str, signature: str | None = None) -> str:
        """Keep a commit, and return its id. No branch moves.

        Args:
            text: what `commit_text` returned.
            signature: its signature, if it is to have one.
        """
        handle = self.git.handle()
        with self._reading():
            if signature is None:
                return str(handle.odb.write(pygit2.enums.ObjectType.COMMIT, text.encode()))
            return str(handle.create_commit_with_signature(text, signature, "gpgsig"))

    def signature(self, commit: str) -> tuple[bytes, str] | None:
        """Return what of a commit is signed and its signature; ``None`` where it is not signed.

        Raises:
            RepositoryError: there is no such commit.
        """
        with self._reading():
            signature, payload = self.git.handle()[commit].peel(pygit2.Commit).gpg_signature
        return (payload, signature.decode("ascii", "replace")) if signature and payload else None

    def pin(self, number: int, head: str) -> None:
        """Keep a change's head from being collected, whatever becomes of its branch. Nobody else sees the ref."""
        with self._reading():
            self.git.handle().references.create(f"{_PINS}{number}", pygit2.Oid(hex=head), force=True)

    def move(self, ref: str, old: str, new: str | None) -> bool:
        """Move a ref if it is still where it was; return whether it was. ``None`` deletes it.

        Raises:
            RepositoryError: git cannot be run.
        """
        arguments = ("update-ref", ref, new, old) if new is not None else ("update-ref", "-d", ref, old)
        try:
            return run_git(self.folder, *arguments, timeout=_MOVE_SECONDS).exit_code == 0
        except (NoGit, GitTimeout) as error:
            what = f"cannot move {ref}: {error or 'there is no git executable'}"
            raise RepositoryError(what, where=str(self.folder), hint="install git") from error

    def _walk(self, base: str, head: str) -> list[str]:
        handle = self.git.handle()
        with self._reading():
            walker = handle.walk(pygit2.Oid(hex=head), SortMode.TOPOLOGICAL | SortMode.REVERSE)
            walker.hide(pygit2.Oid(hex=base))
            return [str(commit.id) for _, commit in zip(range(MOST_COMMITS + 1), walker, strict=False)]

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (KeyError, ValueError, pygit2.GitError) as error:
            hint = "run git fsck there"
            raise RepositoryError(f"cannot be read: {error}", where=str(self.folder), hint=hint) from error


@dataclass(frozen=True, slots=True)
class Signed:
    """A person on record for a commit, and when, in seconds since the epoch."""

    name: str
    mail: str
    at: float

    @classmethod
    def of(cls, who: Person, at: float) -> Signed:
        """Return a person at a time."""
        return cls(who.name, who.email, at)


_VERIFY = "import sys; sys.path.insert(0, sys.argv[1]); import {0} as found; sys.exit(found.main(sys.argv[2]))"
"""Runs our code from where it is, without anything that the environment names."""


def _write_hook(folder: Path, branch: str) -> None:
    """Have git ask our hook; written at each start, since Python may have moved."""
    file = folder / "hooks" / "pre-receive"
    file.parent.mkdir(exist_ok=True)
    python = (sys.executable, "-I", "-S")
    check = " ".join(map(shlex.quote, (*python, push_check.__file__)))
    code, signers = Path(reconciler.__path__[0]).parent, folder.resolve() / emergencies.SIGNERS_FILE
    verify = (sys.executable, "-I", "-c", _VERIFY.format(emergencies.__name__), str(code), str(signers))
    command = " ".join(map(shlex.quote, (*python, hook.__file__, branch, *verify)))
    handle, temporary = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(handle, "w") as out:
        out.write("#!/bin/sh\nupdates=$(cat)\n")
        for asked in (check, command):
            out.write(f"printf '%s\\n' \"$updates\" | {asked} || exit 1\n")
    Path(temporary).chmod(0o700)
    Path(temporary).replace(file)
