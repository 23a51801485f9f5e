"""Makes commits on top of a branch of a mirror, without a working tree, and pushes them. Never forces any out.

Several may do so at once: a push takes effect only where the branch is still where the commit builds on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pygit2
from pygit2.enums import FileMode

from reconciler.desired.git_command import GitTimeout, NoGit, run_git
from reconciler.desired.mirror import without_secrets
from reconciler.desired.repository import GitRepository, RepositoryError

PUSH_TIMEOUT = 300.0
"""Seconds that a push may take."""

_PERSON = re.compile(r"\s*([^<>\n]*[^<>\s])\s*<([^<>\s]+)>\s*")
_MOVED = (
    "stale info",
    "fetch first",
    "non-fast-forward",
    "failed to update ref",
    "cannot lock ref",
    "incorrect old",
)


class BranchMoved(RepositoryError):
    """Somebody else pushed to the branch meanwhile: build on what is there now."""

    reference = "branch-moved"


class PushRefused(RepositoryError):
    """The server does not take the commit, or cannot be reached."""

    reference = "push-refused"


@dataclass(frozen=True, slots=True)
class Person:
    """Who is on record for a commit."""

    name: str
    email: str


def person(text: str) -> Person:
    """Return the person that ``Name <mail@example.com>`` names.

    Raises:
        RepositoryError: it names none.
    """
    match = _PERSON.fullmatch(text)
    if match is None:
        hint = 'write a name and an address: "Riley Release <riley@example.com>"'
        raise RepositoryError(f"{text!r} does not say who the author is", hint=hint)
    return Person(*match.groups())


def configured_person(repository: GitRepository) -> Person | None:
    """Return who git's configuration says this is (user.name and user.email), or ``None``."""
    try:
        signature = repository.handle().default_signature
    except (KeyError, pygit2.GitError):
        return None
    return Person(signature.name, signature.email)


def author_of(repository: GitRepository, given: str | None) -> Person:
    """Return who is to be on record for a commit: who is given, else who git's configuration names.

    Raises:
        RepositoryError: neither names anybody.
    """
    author = person(given) if given is not None else configured_person(repository)
    if author is None:
        raise RepositoryError(
            "nobody is named as the author of the commit",
            hint='give --author "Name <mail@example.com>", or set user.name and user.email with git config',
        )
    return author


def read_text(repository: GitRepository, commit: str, path: str) -> str | None:
    """Return the text of a file at a commit, line ends as they are; ``None`` where there is no such file.

    Raises:
        RepositoryError: there is no such commit, or the file is not UTF-8.
    """
    try:
        tree = repository.handle()[commit].peel(pygit2.Commit).tree
        found = tree[path] if path in tree else None  # noqa: SIM401 (a pygit2 tree has no get)
        return found.data.decode("utf-8") if isinstance(found, pygit2.Blob) else None
    except (KeyError, ValueError, pygit2.GitError) as error:
        raise RepositoryError(
            f"cannot read {path}: {error}", where=f"{repository.folder} {commit[:10]}"
        ) from error


def write_commit(
    repository: GitRepository, parent: str, files: Mapping[str, str], author: Person, message: str
) -> str:
    """Make a commit that differs from its parent by these files alone, and return its id. Moves no branch.

    Args:
        repository: where the parent is.
        parent: the full id of the commit to build on.
        files: the new text of each file that changes, by its path within the repository.
        author: who is on record for it.
        message: what it says.

    Raises:
        RepositoryError: there is no such parent, or the repository cannot be written.
    """
    handle = repository.handle()
    try:
        index = pygit2.Index()
        index.read_tree(handle[parent].peel(pygit2.Commit).tree)
        for path, text in files.items():
            mode = index[path].mode if path in index else FileMode.BLOB
            index.add(pygit2.IndexEntry(path, handle.create_blob(text.encode("utf-8")), mode))
        tree = index.write_tree(handle)
        who = pygit2.Signature(author.name, author.email)
        return str(handle.create_commit(None, who, who, message, tree, [pygit2.Oid(hex=parent)]))
    except (KeyError, ValueError, OSError, pygit2.GitError) as error:
        raise RepositoryError(f"cannot make a commit: {error}", where=str(repository.folder)) from error


def push(mirror: GitRepository, commit: str, branch: str, expected: str | None) -> None:
    """Move a branch of the mirror's remote to a commit, if it is still where it is expected to be.

    The git executable does it: it brings its credential helpers and SSH configuration along, and the hooks of
    the receiving repository run, so that a protected branch stays protected.

    Args:
        mirror: a mirror that has the commit.
        commit: its full id.
        branch: the branch's name at the remote.
        expected: the id that it has to be at; ``None`` where it must not exist yet.

    Raises:
        BranchMoved: it is elsewhere.
        PushRefused: the server refused it, or cannot be reached.
    """
    ref = f"refs/heads/{branch}"
    where = f"{without_secrets(mirror.handle().remotes['origin'].url or '')} {branch}"
    lease = f"--force-with-lease={ref}:{expected or ''}"
    try:
        answer = run_git(
            mirror.folder, "push", "--porcelain", lease, "origin", f"{commit}:{ref}", timeout=PUSH_TIMEOUT
        )
    except NoGit as error:
        raise PushRefused("there is no git executable", hint="install git: pushing is done with it") from error
    except GitTimeout as error:
        raise PushRefused(str(error), where=where, hint="try again later") from error
    if answer.exit_code != 0:
        raise _trouble(where, answer.output, answer.complaints, branch)


def _trouble(where: str, said: str, complaints: str, branch: str) -> RepositoryError:
    verdict = next((line.split("\t")[-1] for line in said.splitlines() if line.startswith("!\t")), "")
    if any(words in verdict for words in _MOVED):
        return BranchMoved(f"the branch moved: {verdict}", where=where, hint="try again")
    remote = [
        line.removeprefix("remote:").strip() for line in complaints.splitlines() if line.startswith("remote:")
    ]
    reasons = [verdict, *(line for line in remote if line)] if verdict else complaints.strip().splitlines()
    hint = "check that git push works for the account that runs this"
    if "checked out" in verdict:
        hint = "pushing goes to bare repositories: name one with --repository, or push to another branch"
    elif verdict:
        hint = f"the server decides who may push to {branch}; propose the change on a branch of its own instead"
    what = without_secrets("; ".join(reasons[:4])) or "git push failed"
    return PushRefused(f"the push was refused: {what}", where=where, hint=hint)
