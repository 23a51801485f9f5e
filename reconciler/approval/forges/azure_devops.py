"""Azure DevOps Services and Server. Reports what the REST API knows; judges nothing.

Source: learn.microsoft.com/rest/api/azure/devops/git, version 7.0, which Azure DevOps Server has since 2022. A
vote names neither commit nor time: where a pull request had more than one head or target branch, a vote alone does
not say which was meant.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from urllib.parse import quote

from reconciler.approval.accounts import Accounts
from reconciler.approval.evidence import Change, CheckReport, CheckState
from reconciler.approval.forge import OpenChange
from reconciler.approval.forge_client import MOST_PAGES, ForgeClient, Shape
from reconciler.approval.forges import azure_devops_answers as its
from reconciler.approval.keeping import each_open, keep_change, keep_comment
from reconciler.approval.standing import NEVER, Review, Word, gather, seconds, standing
from reconciler.desired.people import Identity

PUBLIC = "https://dev.azure.com"
"""Azure DevOps Services. For Azure DevOps Server it is the address above the collection."""

LONGEST_DESCRIPTION = 4000
"""Characters that the description of a pull request may have.

Source: learn.microsoft.com/azure/devops/repos/git/pull-requests
"""

_VERSION = "7.0"
_PREVIEW = "7.0-preview.1"
_PAGE = 100
_CUT = "\n\n… (cut: a description holds no more)"
_GENRE = "reconciler"

_STATES = {
    "succeeded": CheckState.PASSED,
    "failed": CheckState.FAILED,
    "error": CheckState.FAILED,
    "approved": CheckState.PASSED,
    "rejected": CheckState.FAILED,
    "broken": CheckState.FAILED,
}
"""How statuses and the evaluations of policies stand. All else has not ended."""

_RETARGETED = "retarget"
"""The reason of an iteration that another target branch made.

Source: learn.microsoft.com/rest/api/azure/devops/git/pull-request-iterations, IterationReason
"""

_POLICIES = "app:azure-policy"
"""Who reports how a pull request stands with the branch's policies."""

_NOT_APPLICABLE = "notApplicable"
_OUR_STATES = {CheckState.PASSED: "succeeded", CheckState.FAILED: "failed", CheckState.PENDING: "pending"}


class AzureDevOps:
    """One repository. Implements `reconciler.approval.forge.Forge`.

    Args:
        base: the address above the organization, or the collection.
        project: ``organization/project/repository``.
        branch: the branch that is followed.
        token: a personal access token of the scopes Code (read and write) and Code (status).
    """

    def __init__(self, base: str, project: str, branch: str, token: str) -> None:
        organization, team_project, repository = (quote(part) for part in project.split("/"))
        encoded = base64.b64encode(f":{token}".encode()).decode()
        headers = {"Authorization": f"Basic {encoded}", "Accept": "application/json"}
        root = f"{base.rstrip('/')}/{organization}/{team_project}"
        self._client = ForgeClient("Azure DevOps", f"{root}/_apis", headers, frozenset({token, encoded}))
        self._web = f"{root}/_git/{repository}"
        self._target = f"refs/heads/{branch}"
        self._repository = f"/git/repositories/{repository}"
        self._pulls = f"{self._repository}/pullrequests"
        self._of_pull = f"{self._repository}/pullRequests"  # as the reference writes it for all that one has

    def merged_change(self, commit: str) -> Change | None:
        """Return the pull request that made a commit of the branch, or ``None``."""
        query = {"queries": [{"type": "lastMergeCommit", "items": [commit]}]}
        path = f"{self._repository}/pullrequestquery?api-version={_VERSION}"
        found = self._client.send("POST", path, query, its.Found)
        made = [
            pull.pull_request_id
            for result in found.results
            for pull in result.get(commit, ())
            if pull.status == "completed"
            and pull.target_ref_name == self._target
            and _id(pull.last_merge_commit) == commit
        ]
        return self._change(min(made))[1] if made else None

    def open_changes(self) -> tuple[OpenChange, ...]:
        """Return the active pull requests into the branch, the oldest first."""
        active = sorted(self._active({}), key=lambda pull: pull.pull_request_id)
        return each_open(active, lambda pull: self._open_change(pull.pull_request_id))

    def propose(self, branch: str, title: str, body: str) -> OpenChange:
        """Open a pull request from ``branch``, or give the active one its title and description."""
        if len(body) > LONGEST_DESCRIPTION:
            body = body[: LONGEST_DESCRIPTION - len(_CUT)] + _CUT
        ends = {"sourceRefName": f"refs/heads/{branch}", "targetRefName": self._target}
        text = {"title": title, "description": body}
        version = f"?api-version={_VERSION}"
        made = keep_change(
            lambda: self._proposed(branch),
            lambda: self._client.send("POST", self._pulls + version, {**ends, **text}, its.Pull),
            lambda there: self._client.send(
                "PATCH", f"{self._pulls}/{there.pull_request_id}{version}", text, its.Pull
            ),
        )
        return self._open_change(made.pull_request_id)

    def set_status(self, commit: str, context: str, state: CheckState, text: str) -> None:
        """Set the status of a commit, and of each active pull request with that head: it shows its own alone."""
        paths = [f"{self._repository}/commits/{commit}/statuses"]
        paths += [
            f"{self._of_pull}/{pull.pull_request_id}/statuses"
            for pull in self._active({})
            if _id(pull.last_merge_source_commit) == commit
        ]
        genre, _, name = context.rpartition("/")
        wanted = {"name": name, "genre": genre or _GENRE}
        for path in paths:
            there = [found for found in self._statuses(path) if found.context == its.Context(**wanted)]
            if there and (there[-1].state, there[-1].description) == (_OUR_STATES[state], text):
                continue
            body = {"state": _OUR_STATES[state], "description": text, "context": wanted}
            self._client.send("POST", f"{path}?api-version={_VERSION}", body, its.Made)

    def comment(self, number: int, marker: str, body: str) -> None:
        """Keep our comment on a pull request up to date, in a thread that asks nobody to resolve it."""
        path = f"{self._of_pull}/{number}/threads"
        threads = self._get(path, its.Threads).value
        there = [
            (f"{thread.id}/comments/{thread.comments[0].id}", thread.comments[0].content or "")
            for thread in threads
            if thread.comments and not thread.is_deleted
        ]

        def create(text: str) -> object:
            said = {"parentCommentId": 0, "content": text, "commentType": "text"}
            return self._client.send(
                "POST", f"{path}?api-version={_VERSION}", {"comments": [said], "status": "closed"}, its.Made
            )

        keep_comment(
            marker,
            body,
            there,
            lambda name, text: self._client.send(
                "PATCH", f"{path}/{name}?api-version={_VERSION}", {"content": text}, its.Made
            ),
            create,
        )

    def _whole(self, number: int) -> its.WholePull:
        return self._get(f"{self._pulls}/{number}", its.WholePull)

    def _open_change(self, number: int) -> OpenChange:
        pull, change = self._change(number)
        branch = pull.source_ref_name.removeprefix("refs/heads/")
        return OpenChange(number, branch if pull.fork_source is None else f"fork:{branch}", change)

    def _change(self, number: int) -> tuple[its.WholePull, Change]:
        """Return a pull request, and what is known of it.

        Votes are read after the iterations: one given meanwhile is put to an older iteration, never to a newer.
        """
        path = f"{self._of_pull}/{number}"
        iterations = sorted(self._get(f"{path}/iterations", its.Iterations).value, key=lambda found: found.id)
        pull = self._whole(number)
        heads = {iteration.source_ref_commit.commit_id for iteration in iterations}
        head = iterations[-1].source_ref_commit.commit_id if iterations else _id(pull.last_merge_source_commit)
        accounts = Accounts()
        stands = standing(_votes(pull, head if len(heads) <= 1 else "", accounts), _retargeted_at(iterations))
        pushers = _pushers(iterations, head, accounts)
        reports = tuple(self._checks(path, pull, head, iterations))
        return pull, Change(
            name=f"!{number}",
            url=f"{pull.repository.web_url or self._web}/pullrequest/{number}",
            title=pull.title,
            requester=_identity(pull.created_by, accounts),
            head=head,
            opened_at=pull.creation_date.timestamp(),
            approvals=stands.approvals,
            rejections=stands.rejections,
            authors=self._authors(path),
            by_mail_alone=True,
            pushers=pushers,
            unknown_pushers="" if pushers else "Azure DevOps does not report whose push it was",
            checks=gather(reports),
            reports=reports,
            merged_by=_identity(pull.closed_by, accounts) if pull.closed_by is not None else "",
            merged_at=seconds(pull.closed_date),
            ref=f"refs/pull/{number}/merge",
            target=pull.target_ref_name.removeprefix("refs/heads/"),
            revision=str(iterations[-1].id) if iterations else "",
            accounts=accounts.ids,
            landed=_id(pull.last_merge_commit) if pull.status == "completed" else "",
        )

    def _authors(self, path: str) -> tuple[Identity, ...]:
        """Return who wrote and committed the commits, by mail: whose accounts these are is not told."""
        mails: set[str] = set()
        following = ""
        for _ in range(MOST_PAGES):
            query: dict[str, str | int] = {"$top": _PAGE, "api-version": _VERSION}
            page = self._client.page(
                "GET", f"{path}/commits", {**query, **({"continuationToken": following} if following else {})}
            )
            for commit in self._client.shaped(page, its.Commits, path).value:
                mails |= {found.email for found in (commit.author, commit.committer) if found is not None}
            following = page.headers.get("x-ms-continuationtoken", "")
            if not following:
                return tuple(sorted(mails - {""}))
        raise self._client.too_long(path)

    def _checks(
        self, path: str, pull: its.Pull, head: str, iterations: list[its.Iteration]
    ) -> Iterator[CheckReport]:
        newest: dict[str, its.Status] = {}
        for status in self._statuses(f"{path}/statuses"):
            if _is_of(status, iterations):
                newest[_name(status.context)] = status
        for status in (*newest.values(), *self._statuses(f"{self._repository}/commits/{head}/statuses")):
            if status.state != _NOT_APPLICABLE:
                by = (_known_as(status.created_by),) if status.created_by is not None else ()
                yield CheckReport(_name(status.context), _STATES.get(status.state, CheckState.PENDING), by)
        artifact = f"vstfs:///CodeReview/CodeReviewId/{pull.repository.project.id}/{pull.pull_request_id}"
        for found in self._pages("/policy/evaluations", its.Evaluations, {"artifactId": artifact}, _PREVIEW):
            for evaluation in found.value:
                if evaluation.status != _NOT_APPLICABLE:
                    stands = _STATES.get(evaluation.status, CheckState.PENDING)
                    yield CheckReport(_policy_name(evaluation.configuration), stands, (_POLICIES,))

    def _statuses(self, path: str) -> list[its.Status]:
        """Return the statuses at a path, the oldest first; of a commit, only the newest of each context."""
        query = {"latestOnly": "true"} if "/commits/" in path else {}
        return sorted(self._get(path, its.Statuses, query).value, key=lambda found: found.id)

    def _active(self, query: dict[str, str]) -> Iterator[its.Pull]:
        wanted = {"searchCriteria.status": "active", "searchCriteria.targetRefName": self._target, **query}
        for page in self._pages(self._pulls, its.Pulls, wanted, _VERSION):
            yield from page.value

    def _proposed(self, branch: str) -> its.Pull | None:
        found = self._active({"searchCriteria.sourceRefName": f"refs/heads/{branch}"})
        return next((pull for pull in found if pull.fork_source is None), None)

    def _get(self, path: str, shape: type[Shape], query: dict[str, str] | None = None) -> Shape:
        return self._client.get(path, shape, {**(query or {}), "api-version": _VERSION})

    def _pages(self, path: str, shape: type[Shape], query: dict[str, str], version: str) -> Iterator[Shape]:
        """Give the pages of a listing that is asked for by ``$skip`` and ``$top``, up to one that is not full."""
        for number in range(MOST_PAGES):
            asked: dict[str, str | int] = {"$top": _PAGE, "$skip": number * _PAGE, "api-version": version}
            page = self._client.page("GET", path, {**query, **asked})
            yield self._client.shaped(page, shape, path)
            if len(page.content["value"]) < _PAGE:
                return
        raise self._client.too_long(path)


def _is_of(status: its.Status, iterations: list[its.Iteration]) -> bool:
    """Return whether a status of a pull request is of its newest iteration: by its number, else by its time."""
    if not iterations or status.iteration_id == iterations[-1].id:
        return True
    began = iterations[-1].created_date
    return not status.iteration_id and (
        len(iterations) == 1
        or (status.creation_date is not None and began is not None and status.creation_date > began)
    )


def _retargeted_at(iterations: list[its.Iteration]) -> float:
    """Return when the pull request last got another target branch, in seconds since 1970.

    Votes have no time: each may be older.
    """
    times = [seconds(found.created_date) for found in iterations if _RETARGETED in found.reason.lower()]
    return max(times, default=NEVER)


def _pushers(iterations: list[its.Iteration], head: str, accounts: Accounts) -> tuple[Identity, ...]:
    """Return who brought the branch to its head; nobody where that is unknown of one push."""
    pushes = [found.push for found in iterations if found.source_ref_commit.commit_id == head]
    people = [push.pushed_by for push in pushes if push is not None]
    known = [person for person in people if person is not None]
    return tuple(sorted({_identity(person, accounts) for person in known})) if len(known) == len(people) else ()


def _votes(pull: its.WholePull, head: str, accounts: Accounts) -> Iterator[Review]:
    """Give the votes that are not void: 10 and 5 approve, -5 and -10 keep it from going in.

    A group has no vote of its own; those of its members stand beside it.
    """
    for reviewer in pull.reviewers:
        if reviewer.vote and not reviewer.is_container:
            word = Word.APPROVED if reviewer.vote > 0 else Word.REJECTED
            yield Review(_identity(reviewer, accounts), word, head)


def _name(context: its.Context) -> str:
    return f"{context.genre}/{context.name}" if context.genre else context.name


def _policy_name(policy: its.Policy) -> str:
    """Return how people call a policy: one that asks for a build may have a name of its own."""
    own = policy.settings.get("displayName")
    return own if isinstance(own, str) and own else policy.type.display_name


def _id(commit: its.CommitId | None) -> str:
    return commit.commit_id if commit is not None else ""


def _identity(person: its.Person, accounts: Accounts) -> Identity:
    return accounts.note(_known_as(person), person.id)


def _known_as(person: its.Person) -> Identity:
    """Return who somebody is: by mail at Azure DevOps Services; a server may know accounts of Windows alone."""
    return person.unique_name if "@" in person.unique_name else f"@{person.unique_name}"
