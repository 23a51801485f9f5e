"""GitLab.com and self-managed GitLab. Reports what the REST API knows; judges nothing.

Source: docs.gitlab.com/api/rest, version 4. An approval of GitLab's names no commit. It is put to the version of
the change that was the newest when it was given. Where an older GitLab does not report when that was
(``approved_at``), and the change had more than one head, nobody knows which head it was for.

A version also begins when the target branch changes: it has the same head, and another commit that it is compared
with. An approval is for what was compared then.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from urllib.parse import quote

from reconciler.approval.accounts import Accounts
from reconciler.approval.evidence import Change, CheckReport, CheckState
from reconciler.approval.forge import OpenChange
from reconciler.approval.forge_client import ForgeClient, NotAllowed, NotThere, Refused, Shape
from reconciler.approval.forges import gitlab_answers as its
from reconciler.approval.keeping import each_open, keep_change, keep_comment
from reconciler.approval.standing import NEVER, Review, Word, gather, seconds, standing
from reconciler.desired.people import Identity

PUBLIC = "https://gitlab.com/api/v4"
"""The API of gitlab.com."""

LONGEST_UNOPENED = timedelta(days=90)
"""How long before a change was opened its branch may have been pushed. Events from before are not read."""

_PAGE = 100
_PIPELINE = "pipeline"
"""The name under which the pipeline of a change's head stands among its checks, beside its jobs."""

_EXTERNAL = "external"
"""The source of a pipeline that GitLab makes for the statuses that others set, our own among them.

Source: docs.gitlab.com/ci/jobs/job_rules, CI_PIPELINE_SOURCE
"""

_CI = "app:gitlab-ci"
"""Who reports the jobs of a pipeline."""

_TAKEN_BACK = frozenset({"reviewed", "unapproved"})
"""States of a reviewer that only the reviewer can bring about. Anybody can have ``unreviewed`` set once more.

Source: docs.gitlab.com/user/project/merge_requests/reviews
"""

_STATES = {"success": CheckState.PASSED, "failed": CheckState.FAILED, "canceled": CheckState.FAILED}
"""All else has not ended, or has not run: a job is skipped where one before it failed."""

_OUR_STATES = {CheckState.PASSED: "success", CheckState.FAILED: "failed", CheckState.PENDING: "pending"}


class GitLab:
    """One project. Implements `reconciler.approval.forge.Forge`.

    Args:
        base: where the API begins.
        project: ``group/name``, groups within groups included.
        branch: the branch that is followed.
        token: of the scope ``api``, in a role that may open changes and set statuses.
    """

    def __init__(self, base: str, project: str, branch: str, token: str) -> None:
        self._client = ForgeClient("GitLab", base, {"PRIVATE-TOKEN": token}, frozenset({token}))
        self._branch = branch
        self._project = f"/projects/{quote(project, safe='')}"
        self._changes = f"{self._project}/merge_requests"

    def merged_change(self, commit: str) -> Change | None:
        """Return the merge request that a commit of the branch came by, or ``None``."""
        path = f"{self._project}/repository/commits/{commit}/merge_requests"
        pages = self._list(path, tuple[its.Numbered, ...])
        for number in sorted(found.iid for page in pages for found in page):
            change = self._client.get(f"{self._changes}/{number}", its.Change)
            if change.state == "merged" and change.target_branch == self._branch and _landed(change) == commit:
                return self._change(change)
        return None

    def open_changes(self) -> tuple[OpenChange, ...]:
        """Return the open merge requests into the branch, the oldest first."""
        return each_open(
            self._open({}),
            lambda found: self._open_change(self._client.get(f"{self._changes}/{found.iid}", its.Change)),
        )

    def propose(self, branch: str, title: str, body: str) -> OpenChange:
        """Open a merge request from ``branch``, or give the open one its title and description."""
        ends = {"source_branch": branch, "target_branch": self._branch}
        text = {"title": title, "description": body}
        made = keep_change(
            lambda: self._proposed(branch),
            lambda: self._client.send("POST", self._changes, {**ends, **text}, its.Change),
            lambda there: self._client.send("PUT", f"{self._changes}/{there.iid}", text, its.Change),
        )
        return self._open_change(made)

    def set_status(self, commit: str, context: str, state: CheckState, text: str) -> None:
        """Set the status of a commit, unless it is so already.

        GitLab refuses a status that is in the same state already: then its text stays as it is.
        """
        wanted = _OUR_STATES[state]
        there = [status for status in self._statuses(commit) if status.name == context]
        if any((status.status, status.description) == (wanted, text) for status in there):
            return
        body = {"state": wanted, "name": context, "description": text}
        try:
            self._client.send("POST", f"{self._project}/statuses/{commit}", body, its.Made)
        except Refused:
            if all(status.status != wanted for status in there):
                raise

    def comment(self, number: int, marker: str, body: str) -> None:
        """Keep our note on a merge request up to date."""
        path = f"{self._changes}/{number}/notes"
        pages = self._list(path, tuple[its.Note, ...], {"sort": "asc", "order_by": "created_at"})
        keep_comment(
            marker,
            body,
            [(str(note.id), note.body) for page in pages for note in page],
            lambda name, text: self._client.send("PUT", f"{path}/{name}", {"body": text}, its.Made),
            lambda text: self._client.send("POST", path, {"body": text}, its.Made),
        )

    def _change(self, change: its.Change) -> Change:
        path = f"{self._changes}/{change.iid}"
        pages = self._list(f"{path}/versions", tuple[its.Version, ...])
        versions = sorted((found for page in pages for found in page), key=lambda found: found.id)
        accounts = Accounts()
        stands = standing(self._words(path, versions, accounts), _retargeted_at(versions))
        commits = self._commits(path)
        pushers = self._pushers(change, _pushed_between(change.sha, versions, commits), accounts)
        reports = tuple(self._checks(change))
        return Change(
            name=f"!{change.iid}",
            url=change.web_url,
            title=change.title,
            requester=_identity(change.author, accounts),
            head=change.sha,
            opened_at=change.created_at.timestamp(),
            approvals=stands.approvals,
            rejections=stands.rejections,
            withdrawn=stands.withdrawn,
            authors=_authors(commits),
            by_mail_alone=True,
            pushers=pushers,
            unknown_pushers="" if pushers else "GitLab reports no push of it",
            checks=gather(reports),
            reports=reports,
            merged_by=_identity(change.merge_user, accounts) if change.merge_user is not None else "",
            merged_at=seconds(change.merged_at),
            ref=f"refs/merge-requests/{change.iid}/head",
            target=change.target_branch,
            base=versions[-1].base_commit_sha if versions else "",
            revision=str(versions[-1].id) if versions else "",
            accounts=accounts.ids,
            landed=_landed(change) if change.state == "merged" else "",
            squash=change.squash_commit_sha or "",
        )

    def _words(self, path: str, versions: list[its.Version], accounts: Accounts) -> Iterator[Review]:
        """Give who approves, then who asks for changes: this takes back an approval of the same person."""
        reviewers = [
            reviewer for page in self._list(f"{path}/reviewers", tuple[its.Reviewer, ...]) for reviewer in page
        ]
        for reviewer in reviewers:
            if reviewer.state in _TAKEN_BACK:
                yield Review(_identity(reviewer.user, accounts), Word.WITHDRAWN)
        for approver in self._client.get(f"{path}/approvals", its.Approvals).approved_by:
            at = approver.approved_at
            yield Review(_identity(approver.user, accounts), Word.APPROVED, _head_at(at, versions), seconds(at))
        for reviewer in reviewers:
            if reviewer.state == "requested_changes":
                yield Review(_identity(reviewer.user, accounts), Word.REJECTED)

    def _commits(self, path: str) -> list[its.Commit]:
        pages = self._list(f"{path}/commits", tuple[its.Commit, ...])
        return [commit for page in pages for commit in page]

    def _pushers(
        self, change: its.Change, between: tuple[datetime, datetime] | None, accounts: Accounts
    ) -> tuple[Identity, ...]:
        """Return who brought the branch to its head, by the events of the days around that; nobody if unknown.

        A push of more branches than GitLab reports one by one has an event that names no commit. So of a push of
        the same head to another branch nothing follows.
        """
        if change.source_project_id is None or between is None:
            return ()
        # Both ends are whole days, and are left out themselves.
        query = {
            "action": "pushed",
            "after": f"{between[0] - timedelta(days=2):%Y-%m-%d}",
            "before": f"{between[1] + timedelta(days=2):%Y-%m-%d}",
        }
        path = f"/projects/{change.source_project_id}/events"
        try:
            events = [event for page in self._list(path, tuple[its.Event, ...], query) for event in page]
        except (NotThere, NotAllowed):  # a fork that we may not see
            return ()
        brought = [
            event
            for event in events
            if event.push_data is not None
            and (event.push_data.commit_to, event.push_data.ref) == (change.sha, change.source_branch)
        ]
        if any(event.author_username is None for event in brought):
            return ()
        return tuple(
            sorted({accounts.note(f"@{event.author_username}", str(event.author_id or "")) for event in brought})
        )

    def _checks(self, change: its.Change) -> Iterator[CheckReport]:
        """Give what was reported of the head: by jobs, and by accounts that set a status."""
        found = self._list(f"{self._changes}/{change.iid}/pipelines", tuple[its.Pipeline, ...])
        pipelines = [
            pipeline
            for page in found
            for pipeline in page
            if pipeline.sha == change.sha and pipeline.source not in (None, _EXTERNAL)
        ]
        jobs: set[int] = set()
        for pipeline in pipelines:
            pages = self._list(f"{self._project}/pipelines/{pipeline.id}/jobs", tuple[its.Job, ...])
            jobs |= {job.id for page in pages for job in page}
        for status in self._statuses(change.sha):
            by = (_CI,) if status.id in jobs else (f"@{status.author.username}",) if status.author else ()
            yield CheckReport(status.name, _STATES.get(status.status, CheckState.PENDING), by)
        if pipelines:
            newest = max(pipelines, key=lambda pipeline: pipeline.id)
            yield CheckReport(_PIPELINE, _STATES.get(newest.status, CheckState.PENDING), (_CI,))

    def _statuses(self, commit: str) -> list[its.Status]:
        """Return the newest status of each name: jobs, and what others set."""
        pages = self._list(f"{self._project}/repository/commits/{commit}/statuses", tuple[its.Status, ...])
        return [status for page in pages for status in page]

    def _open(self, query: dict[str, str]) -> Iterator[its.Listed]:
        wanted = {"state": "opened", "target_branch": self._branch, "order_by": "created_at", "sort": "asc"}
        for page in self._list(self._changes, tuple[its.Listed, ...], {**wanted, **query}):
            yield from page

    def _proposed(self, branch: str) -> its.Listed | None:
        return next(
            (found for found in self._open({"source_branch": branch}) if _branch_of(found) == branch), None
        )

    def _open_change(self, change: its.Change) -> OpenChange:
        return OpenChange(change.iid, _branch_of(change), self._change(change))

    def _list(self, path: str, shape: type[Shape], query: dict[str, str] | None = None) -> Iterator[Shape]:
        return self._client.linked(path, shape, {**(query or {}), "per_page": _PAGE})


def _branch_of(change: its.Listed) -> str:
    """Return the branch that is asked to be merged; one of another project by that one's number as well."""
    ours = change.source_project_id == change.target_project_id
    return change.source_branch if ours else f"{change.source_project_id or 'gone'}:{change.source_branch}"


def _landed(change: its.Change) -> str:
    """Return the commit by which a change came onto the branch. A fast-forward makes none of its own."""
    return change.merge_commit_sha or change.merged_commit_sha or change.squash_commit_sha or change.sha


def _authors(commits: list[its.Commit]) -> tuple[Identity, ...]:
    """Return who wrote and committed the commits, by mail: GitLab does not report whose accounts these are."""
    mails = {mail for commit in commits for mail in (commit.author_email, commit.committer_email)}
    return tuple(sorted(mails - {""}))


def _pushed_between(
    head: str, versions: list[its.Version], commits: list[its.Commit]
) -> tuple[datetime, datetime] | None:
    """Return the times between which a head was pushed; ``None`` where the change never had it.

    A branch may be pushed long before its change is opened, but not before its commit was made.
    """
    times = [version.created_at for version in versions if version.head_commit_sha == head]
    if not times:
        return None
    made = [commit.committed_date for commit in commits if commit.id == head and commit.committed_date is not None]
    earliest = min([times[0], *made])
    return max(earliest, times[0] - LONGEST_UNOPENED), times[-1]


def _retargeted_at(versions: list[its.Version]) -> float:
    """Return when the change was last compared with another commit while its head stayed, in seconds since 1970.

    That is so where the target branch was changed. It is so as well where the target branch took in a part of the
    change meanwhile, which is rare.

    Args:
        versions: those that the change had, the oldest first.
    """
    return max(
        (
            seconds(later.created_at)
            for earlier, later in pairwise(versions)
            if earlier.head_commit_sha == later.head_commit_sha
            and earlier.base_commit_sha != later.base_commit_sha
        ),
        default=NEVER,
    )


def _head_at(at: datetime | None, versions: list[its.Version]) -> str:
    """Return the head that a change had at a time; empty where nobody can tell.

    Args:
        at: the time, ``None`` where it is not known.
        versions: those that the change had, the oldest first.
    """
    heads = {version.head_commit_sha for version in versions}
    if len(heads) == 1:
        return heads.pop()
    known = [version.head_commit_sha for version in versions if at is not None and version.created_at <= at]
    return known[-1] if known else ""


def _identity(user: its.User, accounts: Accounts) -> Identity:
    return accounts.note(f"@{user.username}", str(user.id))
