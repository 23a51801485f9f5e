"""Forgejo and Gitea, whose interfaces are alike. Reports what the API knows; judges nothing.

Source: each server's own ``/api/swagger``, as on codeberg.org/api/swagger and gitea.com/api/swagger.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar
from urllib.parse import quote

from reconciler.approval.accounts import Accounts
from reconciler.approval.evidence import Change, CheckReport, CheckState
from reconciler.approval.forge import OpenChange
from reconciler.approval.forge_client import MOST_PAGES, ForgeClient, NotThere
from reconciler.approval.forges import forgejo_answers as its
from reconciler.approval.keeping import each_open, keep_change, keep_comment
from reconciler.approval.standing import NEVER, Review, Word, gather, seconds, standing
from reconciler.desired.people import Identity

Item = TypeVar("Item")

_PAGE = 50
"""A server may be set to give fewer."""

_WORDS = {"APPROVED": Word.APPROVED, "REQUEST_CHANGES": Word.REJECTED}
"""COMMENT, PENDING and REQUEST_REVIEW take nothing back."""

_STATES = {
    "success": CheckState.PASSED,
    "warning": CheckState.PASSED,
    "skipped": CheckState.PASSED,
    "pending": CheckState.PENDING,
}
_OUR_STATES = {CheckState.PASSED: "success", CheckState.FAILED: "failure", CheckState.PENDING: "pending"}

_PUSHED = "pull_push"
"""What the timeline calls a push to a change after it was opened."""

_RETARGETED = "change_target_branch"
"""What the timeline calls another target branch."""


class Forgejo:
    """One repository. Implements `reconciler.approval.forge.Forge`.

    Args:
        base: where the API begins, such as ``https://codeberg.org/api/v1``.
        project: ``owner/name``.
        branch: the branch that is followed.
        token: may read the repository and write its issues, pull requests and statuses.
    """

    def __init__(self, base: str, project: str, branch: str, token: str) -> None:
        headers = {"Authorization": f"token {token}", "Accept": "application/json"}
        self._client = ForgeClient("Forgejo", base, headers, frozenset({token}))
        self._project = project
        self._branch = branch
        self._repository = f"/repos/{quote(project)}"

    def merged_change(self, commit: str) -> Change | None:
        """Return the pull request that a commit of the branch came by, or ``None``."""
        try:
            pull = self._client.get(f"{self._repository}/commits/{commit}/pull", its.Pull)
        except NotThere:
            self._client.get(self._repository, its.Repository)  # one that we may not see is another matter
            return None
        landed = pull.merged and pull.merge_commit_sha == commit and pull.base.ref == self._branch
        return self._change(pull) if landed else None

    def open_changes(self) -> tuple[OpenChange, ...]:
        """Return the open pull requests into the branch, the oldest first."""
        return each_open(self._open(), self._open_change)

    def propose(self, branch: str, title: str, body: str) -> OpenChange:
        """Open a pull request from ``branch``, or give the open one its title and description."""
        text = {"title": title, "body": body}
        made = keep_change(
            lambda: self._proposed(branch),
            lambda: self._client.send(
                "POST", f"{self._repository}/pulls", {"head": branch, "base": self._branch, **text}, its.Pull
            ),
            lambda there: self._client.send("PATCH", f"{self._repository}/pulls/{there.number}", text, its.Pull),
        )
        return self._open_change(made)

    def set_status(self, commit: str, context: str, state: CheckState, text: str) -> None:
        """Set a commit status, unless it is so already: each one that is made is kept."""
        there = self._statuses(commit).get(context)
        if there is None or (there.status, there.description) != (_OUR_STATES[state], text):
            body = {"state": _OUR_STATES[state], "context": context, "description": text}
            self._client.send("POST", f"{self._repository}/statuses/{commit}", body, its.Made)

    def comment(self, number: int, marker: str, body: str) -> None:
        """Keep our comment on a pull request up to date."""
        path = f"{self._repository}/issues/{number}/comments"
        there = [(str(comment.id), comment.body) for comment in self._client.get(path, tuple[its.Comment, ...])]
        keep_comment(
            marker,
            body,
            there,
            lambda name, text: self._client.send(
                "PATCH", f"{self._repository}/issues/comments/{name}", {"body": text}, its.Made
            ),
            lambda text: self._client.send("POST", path, {"body": text}, its.Made),
        )

    def _change(self, pull: its.Pull) -> Change:
        path = f"{self._repository}/pulls/{pull.number}"
        accounts = Accounts()
        requester = _identity(pull.user, accounts)
        entries = list(self._list(f"{self._repository}/issues/{pull.number}/timeline", tuple[its.Entry, ...]))
        stands = standing(self._reviews(path, accounts), _retargeted_at(entries))
        pushers = _pushers(entries, requester, accounts)
        reports = tuple(self._checks(pull.head.sha))
        return Change(
            name=f"#{pull.number}",
            url=pull.html_url,
            title=pull.title,
            requester=requester,
            head=pull.head.sha,
            opened_at=pull.created_at.timestamp(),
            approvals=stands.approvals,
            rejections=stands.rejections,
            withdrawn=stands.withdrawn,
            authors=self._authors(path, accounts),
            pushers=pushers,
            unknown_pushers="" if pushers else "Forgejo does not report whose push it was",
            checks=gather(reports),
            reports=reports,
            merged_by=_identity(pull.merged_by, accounts),
            merged_at=seconds(pull.merged_at),
            ref=f"refs/pull/{pull.number}/head",
            target=pull.base.ref,
            base=pull.merge_base or "",
            accounts=accounts.ids,
            landed=(pull.merge_commit_sha or "") if pull.merged else "",
        )

    def _reviews(self, path: str, accounts: Accounts) -> Iterator[Review]:
        """Give what reviewers said, the oldest first; those who may not write to the repository included."""
        for review in sorted(self._list(f"{path}/reviews", tuple[its.Review, ...]), key=lambda found: found.id):
            word = _WORDS.get(review.state)
            if word is not None and review.user is not None:
                said = Word.WITHDRAWN if review.dismissed else word
                yield Review(
                    _identity(review.user, accounts), said, review.commit_id, seconds(review.submitted_at)
                )

    def _authors(self, path: str, accounts: Accounts) -> tuple[Identity, ...]:
        found = set()
        for commit in self._list(f"{path}/commits", tuple[its.Commit, ...]):
            for user, signature in (
                (commit.author, commit.commit.author),
                (commit.committer, commit.commit.committer),
            ):
                found.add(_identity(user, accounts) or (signature.email if signature is not None else ""))
        return tuple(sorted(found - {""}))

    def _checks(self, commit: str) -> Iterator[CheckReport]:
        for status in self._statuses(commit).values():
            by = (f"@{status.creator.login}",) if status.creator is not None else ()
            yield CheckReport(status.context, _STATES.get(status.status, CheckState.FAILED), by)

    def _statuses(self, commit: str) -> dict[str, its.Status]:
        """Return the newest status of each context."""
        pages = self._list(f"{self._repository}/commits/{commit}/statuses", tuple[its.Status, ...])
        return {status.context: status for status in sorted(pages, key=lambda found: found.id)}

    def _open(self) -> Iterator[its.Pull]:
        pages = self._list(f"{self._repository}/pulls", tuple[its.Pull, ...], {"state": "open", "sort": "oldest"})
        return (pull for pull in pages if pull.base.ref == self._branch)

    def _proposed(self, branch: str) -> its.Pull | None:
        return next((pull for pull in self._open() if self._branch_of(pull) == branch), None)

    def _open_change(self, pull: its.Pull) -> OpenChange:
        return OpenChange(pull.number, self._branch_of(pull), self._change(pull))

    def _branch_of(self, pull: its.Pull) -> str:
        """Return the branch that is asked to be merged; one of another repository by that one's name as well."""
        repository = pull.head.repo
        if repository is not None and repository.full_name.lower() == self._project.lower():
            return pull.head.ref
        return f"{repository.full_name if repository is not None else 'gone'}:{pull.head.ref}"

    def _list(
        self, path: str, shape: type[tuple[Item, ...]], query: dict[str, str] | None = None
    ) -> Iterator[Item]:
        """Give the items of a listing, page by page, until one is empty.

        A page may be shorter than asked for; ``Link`` and ``X-Total-Count`` are not there, or not right, for each
        listing; an empty page may be ``null``.
        """
        before: tuple[Item, ...] = ()
        for number in range(1, MOST_PAGES + 1):
            page = self._client.page("GET", path, {**(query or {}), "page": number, "limit": _PAGE})
            items = self._client.shaped(replace(page, content=page.content or ()), shape, path)
            if not items or items == before:  # the same once more: the server knows no pages here
                return
            yield from items
            before = items
        raise self._client.too_long(path)


def _retargeted_at(entries: list[its.Entry]) -> float:
    """Return when the pull request last got another target branch, in seconds since 1970."""
    return max((seconds(entry.created_at) for entry in entries if entry.type == _RETARGETED), default=NEVER)


def _pushers(entries: list[its.Entry], requester: Identity, accounts: Accounts) -> tuple[Identity, ...]:
    """Return who answers for the head: who pushed last, or who opened the change with it; nobody if unknown.

    Who pushed before the change was opened is not reported. Whoever opened it asked for just that head.
    """
    pushes = [entry for entry in entries if entry.type == _PUSHED]
    found = _identity(pushes[-1].user, accounts) if pushes else requester
    return (found,) if found else ()


def _identity(user: its.User | None, accounts: Accounts) -> Identity:
    return accounts.note(f"@{user.login}", str(user.id)) if user is not None else ""
