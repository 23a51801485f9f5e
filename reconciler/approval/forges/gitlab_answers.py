"""What is read of GitLab's answers: documented fields alone, and no more of them than are needed."""

from __future__ import annotations

from pydantic import AwareDatetime

from reconciler.approval.forge_client import Answer


class User(Answer):
    """An account."""

    username: str
    id: int


class Numbered(Answer):
    """A merge request, of which only its number is wanted."""

    iid: int


class Pipeline(Answer):
    """A pipeline of a merge request. ``source`` is ``external`` where statuses that others set made it."""

    id: int
    sha: str
    status: str
    source: str | None = None


class Job(Answer):
    """A job that a pipeline ran."""

    id: int


class Listed(Numbered):
    """A merge request, as listings have it."""

    source_branch: str
    source_project_id: int | None
    target_project_id: int


class Change(Listed):
    """A merge request by itself."""

    title: str
    web_url: str
    author: User
    sha: str
    created_at: AwareDatetime
    state: str
    target_branch: str
    merge_commit_sha: str | None
    squash_commit_sha: str | None
    merged_commit_sha: str | None = None
    """The last commit on the branch, however it was merged. Older versions do not report it."""
    merged_at: AwareDatetime | None
    merge_user: User | None = None


class Approver(Answer):
    """Somebody who approves; older versions do not tell when."""

    user: User
    approved_at: AwareDatetime | None = None


class Approvals(Answer):
    """The approvals of a merge request that stand."""

    approved_by: tuple[Approver, ...]


class Reviewer(Answer):
    """A reviewer of a merge request, and where their review stands."""

    user: User
    state: str


class Version(Answer):
    """A version of a merge request: each push to it makes one."""

    id: int
    head_commit_sha: str
    base_commit_sha: str
    created_at: AwareDatetime


class Commit(Answer):
    """A commit of a merge request."""

    id: str
    committed_date: AwareDatetime | None = None
    author_email: str
    committer_email: str


class PushData(Answer):
    """What was pushed. Of a push of many branches at once there is one event, which names no commit."""

    commit_to: str | None = None
    ref: str | None = None


class Event(Answer):
    """Something that happened in a project. The author is missing where the account is gone."""

    author_username: str | None
    author_id: int | None = None
    push_data: PushData | None = None


class Status(Answer):
    """The newest status of a name: a job, or what others set."""

    id: int
    name: str
    status: str
    description: str | None = None
    author: User | None = None


class Note(Answer):
    """A note on a merge request."""

    id: int
    body: str


class Made(Answer):
    """Something that was made."""

    id: int
