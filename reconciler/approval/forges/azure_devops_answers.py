"""What is read of Azure DevOps's answers: documented fields alone, and no more of them than are needed."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, ConfigDict, Field
from pydantic.alias_generators import to_camel

from reconciler.approval.forge_client import Answer


class Camel(Answer):
    """An answer whose fields are written likeThis."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


class Person(Camel):
    """An identity."""

    unique_name: str
    id: str = ""


class Reviewer(Person):
    """A reviewer with their vote; ``is_container`` tells a group."""

    vote: int
    is_container: bool = False


class CommitId(Camel):
    """A commit, by its id."""

    commit_id: str


class Project(Camel):
    """A team project."""

    id: str


class Repository(Camel):
    """A repository."""

    project: Project
    web_url: str | None = None


class Fork(Camel):
    """The branch of a fork."""

    name: str


class Pull(Camel):
    """A pull request, as listings have it."""

    pull_request_id: int
    title: str
    status: str
    created_by: Person
    creation_date: AwareDatetime
    source_ref_name: str
    target_ref_name: str
    last_merge_source_commit: CommitId | None = None
    last_merge_commit: CommitId | None = None
    fork_source: Fork | None = None
    repository: Repository


class WholePull(Pull):
    """A pull request by itself."""

    reviewers: tuple[Reviewer, ...] = ()
    closed_by: Person | None = None
    closed_date: AwareDatetime | None = None


class Pulls(Camel):
    """A page of pull requests."""

    value: tuple[Pull, ...]


class Found(Camel):
    """The pull requests that were found for each commit."""

    results: tuple[dict[str, tuple[Pull, ...]], ...]


class Push(Camel):
    """A push."""

    pushed_by: Person | None = None


class Iteration(Camel):
    """An iteration: each push to a pull request makes one."""

    id: int
    source_ref_commit: CommitId
    push: Push | None = None
    reason: str = ""
    created_date: AwareDatetime | None = None


class Iterations(Camel):
    """The iterations of a pull request."""

    value: tuple[Iteration, ...]


class Signature(Camel):
    """Whom git names in a commit."""

    email: str = ""


class Commit(Camel):
    """A commit."""

    author: Signature | None = None
    committer: Signature | None = None


class Commits(Camel):
    """A page of commits."""

    value: tuple[Commit, ...]


class Context(Camel):
    """What a status is about."""

    name: str
    genre: str | None = None


class Status(Camel):
    """A status of a commit, or of a pull request. The examples of a commit's have no id."""

    id: int = 0
    state: str
    description: str | None = None
    context: Context
    iteration_id: int | None = None
    creation_date: AwareDatetime | None = None
    created_by: Person | None = None


class Statuses(Camel):
    """The statuses of a commit or a pull request."""

    value: tuple[Status, ...]


class PolicyType(Camel):
    """What kind a policy is of."""

    display_name: str


class Policy(Camel):
    """A policy of a branch, as it is set up."""

    type: PolicyType
    settings: dict[str, Any] = Field(default_factory=dict)


class Evaluation(Camel):
    """How a pull request stands with a policy."""

    status: str
    configuration: Policy


class Evaluations(Camel):
    """A page of evaluations."""

    value: tuple[Evaluation, ...]


class Comment(Camel):
    """A comment."""

    id: int
    content: str | None = None


class Thread(Camel):
    """A thread of comments."""

    id: int
    comments: tuple[Comment, ...] = ()
    is_deleted: bool = False


class Threads(Camel):
    """The threads of a pull request."""

    value: tuple[Thread, ...]


class Made(Camel):
    """Something that was made."""

    id: int
