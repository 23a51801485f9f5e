"""Pushes what a command made. Where the daemon holds the repository, it is known whose account pushed."""

from __future__ import annotations

from reconciler.desired.commits import Person, PushRefused, push
from reconciler.desired.repository import GitRepository
from reconciler.operations.desired import hosts_repository
from reconciler.operations.review import open_review
from reconciler.review.repository import BRANCHES
from reconciler.site import Site
from reconciler.store.data_folder import users_umask
from reconciler.store.pushes import NO_COMMIT, RefUpdate


def push_as(
    site: Site, mirror: GitRepository, author: Person, commit: str, branch: str, expected: str | None
) -> None:
    """Move a branch of the desired-state repository to a commit, if it is still where it is expected to be.

    Args:
        site: the installation.
        mirror: its mirror, which has the commit.
        author: in whose name; where the daemon holds the repository, somebody with an account.
        commit: its full id.
        branch: the branch's name.
        expected: the id that it has to be at; ``None`` where it must not exist yet.

    Raises:
        BranchMoved: it is elsewhere.
        PushRefused: the server refused it, or cannot be reached; or nobody has the author's address.
    """
    if not hosts_repository(site.settings):
        with users_umask():  # a repository on this machine may be one that others read
            push(mirror, commit, branch, expected)
        return
    mail = author.email.casefold()
    accounts = (a for a in site.accounts.all() if a.removed_at is None and a.mail.casefold() == mail)
    account = next(accounts, None)
    if account is None:
        raise PushRefused(
            f"no account has the address {author.email}, so nobody would be known to have pushed",
            where=branch,
            hint="give --author with the address of one: reconciler account list",
        )
    update = RefUpdate(BRANCHES + branch, expected or NO_COMMIT, commit)
    open_review(site).push(account.name, (update,), lambda: push(mirror, commit, branch, expected))
