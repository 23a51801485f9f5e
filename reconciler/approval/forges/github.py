"""GitHub.com and GitHub Enterprise Server. Reports what the REST API knows; judges nothing.

Source: docs.github.com/rest, API version 2022-11-28, which GitHub supports until about March 2028. In version
2026-03-10 ``merge_commit_sha`` is missing: there the timeline's ``merged`` event names the commit. The API of an
Enterprise Server begins at ``https://HOST/api/v3``.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from reconciler.approval.accounts import Accounts
from reconciler.approval.evidence import Change, CheckReport, CheckState
from reconciler.approval.forge import ForgeUnavailable, OpenChange, Queued
from reconciler.approval.forge_client import ForgeClient, NotAllowed, NotThere, Shape
from reconciler.approval.forges import github_answers as its
from reconciler.approval.keeping import each_open, keep_change, keep_comment
from reconciler.approval.standing import NEVER, Review, Word, gather, seconds, standing
from reconciler.desired.people import Identity

PUBLIC = "https://api.github.com"
"""The API of github.com."""

_PAGE = 100
_MOST_COMMITS = 250
"""The commits of a pull request that GitHub lists at most.

Source: docs.github.com/rest/pulls/pulls#list-commits-on-a-pull-request
"""

_GHOST = "@ghost"
"""As GitHub calls whose account is gone. An approval of theirs is nobody's; a rejection stays one."""

_RETARGETED = frozenset({"base_ref_changed", "automatic_base_change_succeeded"})
"""Events of the timeline that give a pull request another target branch: by a person, or since that was deleted.

Source: docs.github.com/rest/using-the-rest-api/issue-event-types, docs.github.com/graphql/reference/objects
"""

_MERGED = "merged"

_QUEUES = "gh-readonly-queue/"
"""What the names of the branches begin with on which a merge queue tests what merging would give.

Source: docs.github.com, Managing a merge queue
"""

_BOT = "[bot]"
"""What the login of an app's own account ends with."""

_ITSELF = "web-flow"
"""The committer of what is done by GitHub's web pages: GitHub itself, who wrote no part of it."""

_WORDS = {"APPROVED": Word.APPROVED, "CHANGES_REQUESTED": Word.REJECTED, "DISMISSED": Word.WITHDRAWN}
"""COMMENTED and PENDING take nothing back."""

_CONCLUSIONS = {"success": CheckState.PASSED, "neutral": CheckState.PASSED, "skipped": CheckState.PASSED}
"""These let a required check pass; any other conclusion does not.

Source: docs.github.com, About status checks
"""

_STATES = {"success": CheckState.PASSED, "pending": CheckState.PENDING}
_OUR_STATES = {CheckState.PASSED: "success", CheckState.FAILED: "failure", CheckState.PENDING: "pending"}


class GitHub:
    """One repository. Implements `reconciler.approval.forge.Forge`.

    Args:
        base: where the API begins.
        project: ``owner/name``.
        branch: the branch that is followed.
        token: may read the repository with its checks, and write statuses, comments and pull requests.
    """

    def __init__(self, base: str, project: str, branch: str, token: str) -> None:
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        self._client = ForgeClient("GitHub", base, headers, frozenset({token}))
        self._project = project
        self._owner = project.partition("/")[0]
        self._branch = branch
        self._repository = f"/repos/{quote(project)}"

    def merged_change(self, commit: str) -> Change | None:
        """Return the pull request that made a commit of the branch, or ``None``.

        GitHub may know of it a moment later only than the commit can be fetched.
        """
        path = f"{self._repository}/commits/{commit}/pulls"
        made = [
            pull.number
            for page in self._list(path, tuple[its.Pull, ...])
            for pull in page
            if pull.merged_at is not None and pull.base.ref == self._branch and self._landed(pull) == commit
        ]
        if not made:
            return None
        path = f"{self._repository}/pulls/{min(made)}"
        pull = self._client.get(path, its.WholePull)
        if pull.commits > _MOST_COMMITS:
            raise ForgeUnavailable(
                f"#{pull.number} has {pull.commits} commits, and GitHub lists no more than {_MOST_COMMITS} of one",
                where=pull.html_url,
                hint="who wrote all of it cannot be told: revert it, and propose it anew in parts",
            )
        return self._change(pull, pull.merged_by)

    def open_changes(self) -> tuple[OpenChange, ...]:
        """Return the open pull requests into the branch, the oldest first."""
        pulls = tuple(self._open())
        queued = self._queued() if pulls else {}
        return each_open(pulls, lambda pull: self._open_change(pull, queued.get(pull.number, ())))

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
        """Set a commit status, unless it is so already: GitHub keeps every one that is made."""
        there = self._statuses(commit).get(context)
        if there is None or (there.state, there.description) != (_OUR_STATES[state], text):
            body = {"state": _OUR_STATES[state], "context": context, "description": text}
            self._client.send("POST", f"{self._repository}/statuses/{commit}", body, its.Made)

    def comment(self, number: int, marker: str, body: str) -> None:
        """Keep our comment on a pull request up to date."""
        path = f"{self._repository}/issues/{number}/comments"
        comments = [found for page in self._list(path, tuple[its.Comment, ...]) for found in page]
        keep_comment(
            marker,
            body,
            [(str(found.id), found.body) for found in comments],
            lambda name, text: self._client.send(
                "PATCH", f"{self._repository}/issues/comments/{name}", {"body": text}, its.Made
            ),
            lambda text: self._client.send("POST", path, {"body": text}, its.Made),
        )

    def _open(self, head: str = "") -> Iterator[its.Pull]:
        query = {"state": "open", "base": self._branch, "sort": "created", "direction": "asc"}
        if head:
            query["head"] = f"{self._owner}:{head}"
        for page in self._list(f"{self._repository}/pulls", tuple[its.Pull, ...], query):
            yield from page

    def _proposed(self, branch: str) -> its.Pull | None:
        return next((pull for pull in self._open(branch) if self._branch_of(pull) == branch), None)

    def _open_change(self, pull: its.Pull, queued: tuple[Queued, ...] = ()) -> OpenChange:
        return OpenChange(pull.number, self._branch_of(pull), self._change(pull), queued)

    def _queued(self) -> dict[int, tuple[Queued, ...]]:
        """Return the commits by which a merge queue tests merging each pull request."""
        prefix = f"{_QUEUES}{self._branch}/pr-"
        found: dict[int, tuple[Queued, ...]] = {}
        path = f"{self._repository}/git/matching-refs/heads/{quote(prefix)}"
        for ref in self._client.get(path, tuple[its.Ref, ...]):
            number = ref.ref.removeprefix(f"refs/heads/{prefix}").partition("-")[0]
            if number.isdigit():
                found[int(number)] = (*found.get(int(number), ()), Queued(ref.object.sha, ref.ref))
        return found

    def _timeline(self, number: int) -> list[its.Event]:
        pages = self._list(f"{self._repository}/issues/{number}/timeline", tuple[its.Event, ...])
        return [event for page in pages for event in page]

    def _landed(self, pull: its.Pull) -> str:
        """Return the commit by which a merged pull request came onto the branch; empty where none is named."""
        if pull.merge_commit_sha is not None:
            return pull.merge_commit_sha
        commits = [event.commit_id for event in self._timeline(pull.number) if event.event == _MERGED]
        return (commits[-1] if commits else "") or ""

    def _branch_of(self, pull: its.Pull) -> str:
        """Return the branch that is asked to be merged; one of another repository by that one's owner as well."""
        repository = pull.head.repo
        ours = repository is not None and repository.full_name.lower() == self._project.lower()
        return pull.head.ref if ours else pull.head.label

    def _change(self, pull: its.Pull, merged_by: its.User | None = None) -> Change:
        path = f"{self._repository}/pulls/{pull.number}"
        accounts = Accounts()
        stands = standing(self._reviews(path, accounts), _retargeted_at(self._timeline(pull.number)))
        pushers = self._pushers(pull.head, accounts)
        reports = tuple(self._checks(pull.head.sha))
        return Change(
            name=f"#{pull.number}",
            url=pull.html_url,
            title=pull.title,
            requester=_identity(pull.user, accounts),
            head=pull.head.sha,
            opened_at=pull.created_at.timestamp(),
            approvals=stands.approvals,
            rejections=stands.rejections,
            withdrawn=stands.withdrawn,
            authors=self._authors(path, accounts),
            pushers=pushers,
            unknown_pushers="" if pushers else "GitHub reports no push of it",
            checks=gather(reports),
            reports=reports,
            merged_by=_identity(merged_by, accounts) if pull.merged_at is not None else "",
            merged_at=seconds(pull.merged_at),
            ref=f"refs/pull/{pull.number}/head",
            target=pull.base.ref,
            accounts=accounts.ids,
            landed=self._landed(pull) if pull.merged_at is not None else "",
        )

    def _reviews(self, path: str, accounts: Accounts) -> Iterator[Review]:
        """Give what reviewers said, the oldest first: GitHub lists them in that order."""
        for page in self._list(f"{path}/reviews", tuple[its.Review, ...]):
            for review in page:
                word = _WORDS.get(review.state)
                if word is not None and (review.user is not None or word is not Word.APPROVED):
                    at = seconds(review.submitted_at)
                    yield Review(_identity(review.user, accounts), word, review.commit_id or "", at)

    def _authors(self, path: str, accounts: Accounts) -> tuple[Identity, ...]:
        """Return who wrote and committed the commits; by mail where GitHub knows no account of that mail."""
        found = set()
        for page in self._list(f"{path}/commits", tuple[its.Commit, ...]):
            for commit in page:
                written = commit.commit
                for user, signature in ((commit.author, written.author), (commit.committer, written.committer)):
                    if user is None:
                        found.add((signature.email if signature is not None else "") or "")
                    elif user.login != _ITSELF:
                        found.add(_identity(user, accounts))
        return tuple(sorted(found - {""}))

    def _pushers(self, head: its.End, accounts: Accounts) -> tuple[Identity, ...]:
        """Return who brought the branch to its head; nobody where GitHub does not report it.

        That is so of a fork that is gone, and of one that the token may not see.
        """
        if head.repo is None:
            return ()
        path = f"/repos/{quote(head.repo.full_name)}/activity"
        query = {"ref": f"refs/heads/{head.ref}", "per_page": str(_PAGE)}
        try:
            activities = self._client.get(path, tuple[its.Activity, ...], query)
        except (NotThere, NotAllowed):  # an Enterprise Server that is too old, or a fork that we may not see
            return ()
        actors = [activity.actor for activity in activities if activity.after == head.sha]
        if any(actor is None for actor in actors):
            return ()  # one of them is an account that is gone: nobody knows whose that was
        return tuple(sorted({_identity(actor, accounts) for actor in actors}))

    def _checks(self, commit: str) -> Iterator[CheckReport]:
        path = f"{self._repository}/commits/{commit}/check-runs"
        for runs in self._list(path, its.CheckRuns, {"filter": "latest"}):
            for run in runs.check_runs:
                done = _CONCLUSIONS.get(run.conclusion or "", CheckState.FAILED)
                by = (f"app:{run.app.slug}", f"app:{run.app.id}") if run.app is not None else ()
                yield CheckReport(run.name, done if run.status == "completed" else CheckState.PENDING, by)
        for status in self._statuses(commit).values():
            yield CheckReport(
                status.context, _STATES.get(status.state, CheckState.FAILED), _reporter(status.creator)
            )

    def _statuses(self, commit: str) -> dict[str, its.Status]:
        """Return the newest status of each context: GitHub lists them in that order."""
        newest: dict[str, its.Status] = {}
        for page in self._list(f"{self._repository}/commits/{commit}/statuses", tuple[its.Status, ...]):
            for status in page:
                newest.setdefault(status.context, status)
        return newest

    def _list(self, path: str, shape: type[Shape], query: dict[str, str] | None = None) -> Iterator[Shape]:
        return self._client.linked(path, shape, {**(query or {}), "per_page": _PAGE})


def _retargeted_at(events: list[its.Event]) -> float:
    """Return when a pull request last got another target branch, in seconds since 1970."""
    return max((seconds(event.created_at) for event in events if event.event in _RETARGETED), default=NEVER)


def _reporter(creator: its.User | None) -> tuple[Identity, ...]:
    if creator is None:
        return ()
    if creator.type == "Bot" and creator.login.endswith(_BOT):
        return (f"app:{creator.login.removesuffix(_BOT)}",)
    return (f"@{creator.login}",)


def _identity(user: its.User | None, accounts: Accounts) -> Identity:
    return accounts.note(f"@{user.login}", str(user.id)) if user is not None else _GHOST
