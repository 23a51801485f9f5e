"""Publishes an MSI to an environment: artifact, catalog and version, in one commit that is pushed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reconciler.desired.commits import (
    BranchMoved,
    Person,
    author_of,
    read_text,
    write_commit,
)
from reconciler.desired.editing import set_version
from reconciler.desired.findings import Finding, Severity, render_text
from reconciler.desired.layout import CATALOG_FOLDER, ENVIRONMENT_FILE
from reconciler.desired.loading import load
from reconciler.desired.mirror import fetch
from reconciler.desired.model import DesiredState
from reconciler.desired.repository import GitRepository, RepositoryError
from reconciler.desired.suggestions import closest
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.releases import MsiRelease
from reconciler.operations.cataloguing.candidate import Candidate, keep_files, read_candidate
from reconciler.operations.cataloguing.edits import Addition, CatalogEdits
from reconciler.operations.cataloguing.notices import Notice, NoticeKind
from reconciler.operations.desired import mirror_of, state_at
from reconciler.operations.import_release import built_by
from reconciler.operations.pushing import push_as
from reconciler.operations.text_files import FileChange
from reconciler.site import Site

MOST_TRIES = 10
"""How often a commit is made anew because somebody else pushed meanwhile."""


class CannotPublish(ReconcilerError):
    """A release that cannot be published as asked."""

    reference = "cannot-publish"


class InvalidChange(ReconcilerError):
    """A commit that would not validate, so that it was not pushed."""

    reference = "invalid-change"

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__(
            "nothing was pushed: the change would not validate", details=render_text(findings).split("\n")
        )
        self.findings = findings


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """What is to be published.

    ``author`` is written ``Name <mail@example.com>``; ``None`` for whom git's configuration names. ``branch`` is
    the branch to propose the change on; ``None`` to commit to the branch that is followed. ``signing_roots`` is a
    PEM file with the authorities that are trusted to sign; ``None`` for the system's.
    """

    file: Path
    package: str
    environment: str
    transforms: tuple[Path, ...] = ()
    issue: str = ""
    notes: str = ""
    author: str | None = None
    message: str | None = None
    branch: str | None = None
    signing_roots: Path | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """What came of it. Where nothing had to change, ``changes`` is empty and ``commit`` the head as it was.

    ``release`` is what the catalog has under the file's codes.
    """

    package: str
    environment: str
    release: MsiRelease
    branch: str
    commit: str
    changes: tuple[FileChange, ...]
    notices: tuple[Notice, ...]


@dataclass(frozen=True, slots=True)
class _Draft:
    """The change, worked out on top of one commit."""

    base: str
    addition: Addition[MsiRelease]
    changes: tuple[FileChange, ...]
    notices: tuple[Notice, ...]


def publish(site: Site, request: PublishRequest) -> Published:
    """Publish an MSI. Doing it again changes nothing; whatever is pushed validates.

    Where the branch moves meanwhile, the change is made anew on top of what is there then.

    Args:
        site: the installation: its artifact folder keeps the file, its repository takes the commit.
        request: what to publish, where to and in whose name.

    Raises:
        CannotPublish: there is no such environment, or the branch never stood still.
        CannotImport, UnreadableMsi, ArtifactError: as when importing.
        InvalidRevision: the branch's head does not validate as it is.
        InvalidChange: the change would not validate.
        RepositoryError: the repository cannot be reached, or refuses the commit; or nobody is its author.
    """
    candidate = read_candidate(
        request.file, request.transforms, request.issue, request.notes, request.signing_roots
    )
    mirror = mirror_of(site)
    author = author_of(mirror, request.author)
    branch = request.branch or site.settings.branch
    for _ in range(MOST_TRIES):
        fetch(mirror)
        target = _head(mirror, branch)
        draft = _draft(site, mirror, target or mirror.head(site.settings.branch), candidate, request)
        keep_files(site.artifacts, candidate)
        commit = draft.base
        if draft.changes:
            commit = _commit(site, mirror, draft, author, request)
            try:
                push_as(site, mirror, author, commit, branch, target)
            except BranchMoved:
                continue
        release, package = draft.addition.release, draft.addition.package
        return Published(package, request.environment, release, branch, commit, draft.changes, draft.notices)
    raise CannotPublish(
        f"the branch {branch} moved {MOST_TRIES} times while the change was made", hint="try again later"
    )


def _head(mirror: GitRepository, branch: str) -> str | None:
    try:
        return mirror.head(branch)
    except RepositoryError:
        return None


def _draft(site: Site, mirror: GitRepository, base: str, candidate: Candidate, request: PublishRequest) -> _Draft:
    """Work out what would change on top of a commit."""
    desired = state_at(site, mirror, base)
    environment = desired.environments.get(request.environment)
    if environment is None:
        near = closest(request.environment, list(desired.environments))
        raise CannotPublish(
            f"there is no environment {request.environment}",
            hint=f"did you mean {near}?" if near else f"there are: {', '.join(desired.environments)}",
        )
    prefix = f"{site.settings.root.strip('/')}/" if site.settings.root.strip("/") else ""
    texts: dict[str, str] = {}

    def old(path: str) -> str:
        return read_text(mirror, base, path) or ""

    def catalog_file(package: str) -> str:
        return f"{prefix}{CATALOG_FOLDER}/{package}.yaml"

    edits = CatalogEdits(desired, lambda package: old(catalog_file(package)), built_by(site))
    addition = edits.add(candidate, request.package)
    texts.update((catalog_file(package), text) for package, text in edits.texts.items())
    if desired.versions_of(environment.name).get(addition.package) != addition.release.version:
        path = f"{prefix}{environment.name}/{ENVIRONMENT_FILE}"
        texts[path] = set_version(old(path), addition.package, addition.release.version)
    changes = tuple(FileChange(path, read_text(mirror, base, path), text) for path, text in texts.items())
    notices = (*addition.notices, *_past_promotion(desired, request.environment, addition))
    return _Draft(base, addition, changes, notices)


def _past_promotion(desired: DesiredState, environment: str, addition: Addition[MsiRelease]) -> tuple[Notice, ...]:
    upstream = desired.environments[environment].promotes_from
    if upstream is None or desired.versions_of(upstream).get(addition.package) == addition.release.version:
        return ()
    message = f"{environment} takes its versions from {upstream}, which does not have {addition.release.version}"
    return (Notice(environment, NoticeKind.PAST_PROMOTION, message),)


def _commit(site: Site, mirror: GitRepository, draft: _Draft, author: Person, request: PublishRequest) -> str:
    """Make the commit, and see that it validates."""
    subject = f"{request.environment}: {draft.addition.package} {draft.addition.release.version}"
    texts = {change.path: change.after for change in draft.changes}
    commit = write_commit(mirror, draft.base, texts, author, request.message or subject)
    loaded = load(mirror, commit, site.settings.root)
    if loaded.state is None:
        raise InvalidChange(tuple(f for f in loaded.findings if f.severity is Severity.ERROR))
    return commit
