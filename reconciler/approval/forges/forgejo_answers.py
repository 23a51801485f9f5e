"""What is read of Forgejo's answers: documented fields alone, and no more of them than are needed."""

from __future__ import annotations

from pydantic import AwareDatetime

from reconciler.approval.forge_client import Answer


class User(Answer):
    """An account."""

    login: str
    id: int


class Repository(Answer):
    """A repository."""

    full_name: str


class End(Answer):
    """One end of a pull request."""

    label: str
    ref: str
    sha: str
    repo: Repository | None = None


class Pull(Answer):
    """A pull request."""

    number: int
    html_url: str
    title: str
    user: User
    head: End
    base: End
    created_at: AwareDatetime
    merged: bool
    merged_at: AwareDatetime | None = None
    merge_commit_sha: str | None = None
    merge_base: str | None = None
    merged_by: User | None = None


class Review(Answer):
    """What a reviewer said of a pull request."""

    id: int
    user: User | None = None
    state: str
    commit_id: str = ""
    dismissed: bool
    submitted_at: AwareDatetime | None = None


class Signature(Answer):
    """Whom git names in a commit."""

    email: str = ""


class Written(Answer):
    """What git has of a commit."""

    author: Signature | None = None
    committer: Signature | None = None


class Commit(Answer):
    """A commit, with the accounts that the server knows by its mails."""

    commit: Written
    author: User | None = None
    committer: User | None = None


class Entry(Answer):
    """An entry of a pull request's timeline."""

    type: str
    user: User | None = None
    created_at: AwareDatetime | None = None


class Status(Answer):
    """A status of a commit, one of those that were ever set."""

    id: int
    context: str
    status: str
    description: str = ""
    creator: User | None = None


class Comment(Answer):
    """A comment on a pull request."""

    id: int
    body: str = ""


class Made(Answer):
    """Something that was made."""

    id: int
