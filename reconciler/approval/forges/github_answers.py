"""What is read of GitHub's answers: documented fields alone, and no more of them than are needed."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator

from reconciler.approval.forge_client import Answer


class User(Answer):
    """An account. ``None`` is in its place where it is gone."""

    login: str
    id: int
    type: str = ""


Author = Annotated[User | None, BeforeValidator(lambda found: found or None)]
"""The account of a commit's author: an empty object where GitHub knows none (reference: simple-user or empty)."""


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
    merge_commit_sha: str | None = None
    """Not in answers of API version 2026-03-10 and later."""


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
    author: Author
    committer: Author


class Activity(Answer):
    """A change of a branch: a push, or its creation. The reference's own example has no actor."""

    after: str
    actor: User | None = None


class Event(Answer):
    """An entry of a pull request's timeline. Some kinds have neither time nor commit."""

    event: str = ""
    created_at: AwareDatetime | None = None
    commit_id: str | None = None


class App(Answer):
    """An app of GitHub's."""

    id: int
    slug: str = ""


class CheckRun(Answer):
    """A check, as an app reports it."""

    name: str
    status: str
    conclusion: str | None
    app: App | None = None


class CheckRuns(Answer):
    """A page of checks."""

    check_runs: tuple[CheckRun, ...]


class Status(Answer):
    """A status of a commit, one of those that were ever set."""

    context: str
    state: str
    description: str | None
    creator: User | None


class Pointed(Answer):
    """What a ref points at."""

    sha: str


class Ref(Answer):
    """A ref of the repository."""

    ref: str
    object: Pointed


class Comment(Answer):
    """A comment on a pull request."""

    id: int
    body: str = ""


class Made(Answer):
    """Something that was made."""

    id: int
