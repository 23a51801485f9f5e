"""Keeps a bare mirror of a remote repository in a folder of our own, and fetches into it."""

from __future__ import annotations

import re
from pathlib import Path

import pygit2
from pygit2.enums import FetchPrune

from reconciler.desired.git_command import CONNECT_TIMEOUT, GitTimeout, NoGit, run_git
from reconciler.desired.repository import GitRepository, RepositoryError

FETCH_TIMEOUT = 300.0
"""Seconds that the git executable may take for a whole fetch."""

PRIVATE = {"core.sharedRepository": "0600"}
"""Has the git executable make files for this account alone, whatever the umask. libgit2 goes by the umask."""

_BRANCHES, _APPROVING_TAGS = "+refs/heads/*:refs/heads/*", "+refs/tags/approved/*:refs/tags/approved/*"


class FetchError(RepositoryError):
    """A remote repository that could not be fetched from now; trying again later may help."""

    reference = "fetch"


def open_mirror(url: str, folder: Path) -> GitRepository:
    """Return the mirror of ``url`` in ``folder``, made anew (still empty) where there is none. Does not fetch.

    Args:
        url: where the repository is, as git takes it: HTTPS, SSH, or a path.
        folder: where the mirror is kept; made if missing.

    Raises:
        RepositoryError: the folder cannot be made, or holds something else.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (folder / "HEAD").exists():
            if any(folder.iterdir()):
                hint = "name an empty folder, or one that does not exist"
                raise RepositoryError("the folder holds something else", where=str(folder), hint=hint)
            pygit2.init_repository(str(folder), bare=True)
        mirror = GitRepository(folder)
        config = mirror.handle().config
        for name, value in PRIVATE.items():
            if name not in config or config[name] != value:
                config[name] = value
        remotes = mirror.handle().remotes
        if "origin" not in remotes.names():
            remotes.create("origin", url, _BRANCHES)
            remotes.add_fetch("origin", _APPROVING_TAGS)
        elif remotes["origin"].url != url:
            remotes.set_url("origin", url)
    except (OSError, ValueError, pygit2.GitError) as error:
        what = f"cannot keep a mirror of {without_secrets(url)}: {error}"
        raise RepositoryError(what, where=str(folder)) from error
    return mirror


def fetch(mirror: GitRepository) -> None:
    """Bring every branch and approving tag of the mirror to where the remote has it, moved and deleted ones too.

    Where libgit2 cannot (SSH configuration, credential helpers), the git executable is asked, if there is one.

    Args:
        mirror: what `open_mirror` returned.

    Raises:
        FetchError: neither could.
    """
    pygit2.settings.server_timeout = round(CONNECT_TIMEOUT * 1000)
    pygit2.settings.server_connect_timeout = round(CONNECT_TIMEOUT * 1000)
    remote = mirror.handle().remotes["origin"]
    url = without_secrets(remote.url or "")
    try:
        remote.fetch(prune=FetchPrune.PRUNE)
    except pygit2.GitError as error:
        trouble = _fetch_with_git(mirror.folder)
        if trouble is not None:
            what = f"cannot fetch: {without_secrets(str(error))}; git says: {without_secrets(trouble)}"
            hint = "check that the server can be reached, and that git fetch works for the account that runs this"
            raise FetchError(what, where=url, hint=hint) from error


def fetch_ref(mirror: GitRepository, ref: str, into: str) -> None:
    """Bring one ref of the remote's that is no branch, such as the head of a change, into a ref of the mirror's.

    The git executable does it, for it writes nothing that another fetch of this mirror writes at the same time.

    Args:
        mirror: what `open_mirror` returned.
        ref: the remote's, such as ``refs/pull/12/head``.
        into: the mirror's, outside ``refs/heads``.

    Raises:
        FetchError: the remote has no such ref, or cannot be reached.
    """
    arguments = ("-c", "gc.auto=0", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "origin")
    trouble = _run_fetch(mirror.folder, *arguments, f"+{ref}:{into}")
    if trouble is not None:
        url = without_secrets(mirror.handle().remotes["origin"].url or "")
        raise FetchError(f"cannot fetch {ref}: {without_secrets(trouble)}", where=url)


def without_secrets(text: str) -> str:
    """Return ``text`` with the user and password taken out of each URL in it."""
    return re.sub(r"(?<=://)[^/@\s]+@", "", text)


def _fetch_with_git(folder: Path) -> str | None:
    """Fetch with the git executable; return its complaint, ``None`` where it succeeded."""
    return _run_fetch(folder, "-c", "gc.auto=0", "fetch", "--quiet", "--prune", "origin")


def _run_fetch(folder: Path, *arguments: str) -> str | None:
    """Run git; return its complaint, ``None`` where it succeeded."""
    try:
        answer = run_git(folder, *arguments, timeout=FETCH_TIMEOUT)
    except NoGit:
        return "no git executable"
    except GitTimeout as error:
        return str(error)
    if answer.exit_code == 0:
        return None
    return next(iter(answer.complaints.strip().splitlines()), "failed")
