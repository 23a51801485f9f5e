"""What is read of GitHub's answers: documented fields alone, and no more of them than are needed."""

from __future__ import annotations

from pydantic import AwareDatetime

from reconciler.approval.forge_client import Answer


class User(Answer):
    """An account. ``None`` stands in its place where it is gone."""

    login: str


class Repository(Answer):
    """A repository."""

    full_name: str


class End(Answer):
    """One end of a pull request; ``repo`` is ``None`` where a fork is gone."""

    label: str
    ref: str
    sha: str
    repo: Repository | None


class Pull(Answer):
    """A pull request, as listings have it."""

    number: int
    html_url: str
    title: str
    user: User | None
    head: End
    base: End
    created_at: AwareDatetime
    merged_at: AwareDatetime | None
    merge_commit_sha: str | None


class WholePull(Pull):
    """A pull request by itself."""

    merged_by: User | None
    commits: int


class Review(Answer):
    """What a reviewer said of a pull request."""

    user: User | None
    state: str
    commit_id: str | None
    submitted_at: AwareDatetime | None = None


class Signature(Answer):
    """Whom git names in a commit."""

    email: str | None = None


class Written(Answer):
    """What git has of a commit."""

    author: Signature | None
    committer: Signature | None


class Commit(Answer):
    """A commit, with the accounts that GitHub knows by its mails."""

    commit: Written
    author: User | None
    committer: User | None


class Activity(Answer):
    """A change of a branch: a push, or its creation."""

    after: str
    actor: User | None


class CheckRun(Answer):
    """A check, as an app reports it."""

    name: str
    status: str
    conclusion: str | None


class CheckRuns(Answer):
    """A page of checks."""

    check_runs: tuple[CheckRun, ...]


class Status(Answer):
    """The newest status of a context."""

    context: str
    state: str
    description: str | None


class Combined(Answer):
    """A page of the statuses of a commit."""

    statuses: tuple[Status, ...]


class Comment(Answer):
    """A comment on a pull request."""

    id: int
    body: str = ""


class Made(Answer):
    """Something that was made."""

    id: int
