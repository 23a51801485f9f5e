"""The built-in review of an installation: opens it, and shows a change with all that a reviewer wants to know."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from reconciler.desired.cache import LoadCache
from reconciler.desired.findings import Finding
from reconciler.desired.loading import Loaded, load
from reconciler.desired.repository import Commit
from reconciler.operations.desired import InvalidRevision, hosted_repository, mirror_of, state_at
from reconciler.operations.merging import missing_approvals
from reconciler.operations.plan import compare_states
from reconciler.planning.comparison import Comparison
from reconciler.review.changed_files import ChangedFile
from reconciler.review.changes import ChangeBook
from reconciler.review.daemon_key import DaemonKey
from reconciler.review.forge import BuiltInForge
from reconciler.review.repository import HostedRepository
from reconciler.review.review import Prospect, Review
from reconciler.site import Site
from reconciler.store.changes import ChangeRecord, ChangeState, NoteRecord, ReviewRecord, StatusRecord

KEY_FILE = "review-key"
"""The daemon's own key, in its data folder."""


def daemon_key(site: Site) -> DaemonKey:
    """Return the key that the daemon signs merges by, made at first use.

    Raises:
        KeyUnusable: it cannot be made or read.
    """
    return DaemonKey(site.settings.data / KEY_FILE)


def open_review(site: Site) -> Review:
    """Return the built-in review of an installation, with its repository made where there is none.

    Raises:
        RepositoryError: the repository cannot be made or read.
        KeyUnusable: the key cannot be made or read.
    """
    repository = HostedRepository.make(hosted_repository(site.settings), site.settings.branch)
    book = ChangeBook(
        site.changes, site.pushes, site.accounts, lambda: site.revisions.fact("url") or "", site.clock
    )
    loads = LoadCache()  # not the site's: that one is for the mirror

    def load_draft(commit: str) -> Loaded:
        return load(repository.git, commit, site.settings.root, loads)

    return Review(repository, book, daemon_key(site), load_draft, partial(missing_approvals, site, loads=loads))


def open_forge(site: Site) -> BuiltInForge:
    """Return the built-in review as a forge.

    Raises:
        RepositoryError, KeyUnusable: as `open_review`.
    """
    return BuiltInForge(open_review(site), daemon_key(site))


@dataclass(frozen=True, slots=True)
class ShownChange:
    """A change in a list. ``approved_by`` are those whose approval stands, ``rejected_by`` likewise."""

    number: int
    state: ChangeState
    title: str
    branch: str
    requester: str
    head: str
    opened_at: float
    ended_at: float | None
    ended_by: str
    approved_by: tuple[str, ...]
    rejected_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangeDetail:
    """A change, and what a reviewer wants to know of it.

    ``mergeable`` is whether it may be merged as it is, ``missing`` why not. ``plan`` is what merging it would do;
    ``None`` where it conflicts, does not validate or has ended.
    """

    change: ShownChange
    body: str
    pushers: tuple[str, ...]
    commits: tuple[Commit, ...]
    files: tuple[ChangedFile, ...]
    reviews: tuple[ReviewRecord, ...]
    notes: tuple[NoteRecord, ...]
    statuses: tuple[StatusRecord, ...]
    findings: tuple[Finding, ...]
    missing: tuple[str, ...]
    mergeable: bool
    merge_commit: str
    plan: Comparison | None


def list_changes(review: Review, state: ChangeState | None) -> tuple[ShownChange, ...]:
    """Return the changes in a state (in any, for ``None``), the newest first."""
    review.look()
    return tuple(_shown(review, record) for record in reversed(review.book.changes.of_state(state)))


def show_change(site: Site, review: Review, number: int) -> ChangeDetail:
    """Return a change with its commits, what was said of it, what merging it would do and what is missing.

    Raises:
        NoSuchChange: there is none of this number.
        RepositoryError: the repository cannot be read.
    """
    record = review.find(number)
    prospect = review.prospect(record)
    merged = record.state is ChangeState.MERGED
    return ChangeDetail(
        change=_shown(review, record),
        body=record.body,
        pushers=review.book.pushers(record),
        commits=prospect.commits,
        files=prospect.files,
        reviews=review.book.changes.reviews(number),
        notes=review.book.changes.notes(number),
        statuses=review.book.changes.statuses(record.head),
        findings=prospect.findings,
        missing=prospect.missing,
        mergeable=record.state is ChangeState.OPEN and not prospect.missing,
        merge_commit=record.merge_commit if merged else "",
        plan=_plan(site, review, record, prospect),
    )


def _plan(site: Site, review: Review, record: ChangeRecord, prospect: Prospect) -> Comparison | None:
    """Return what merging a change would do, held against the revision in force, or else the branch as it is."""
    if record.state is not ChangeState.OPEN or not prospect.draft or prospect.findings:
        return None
    desired = review.load(prospect.draft).state
    if desired is None:
        return None
    base = site.revisions.in_force()
    try:
        before = state_at(site, mirror_of(site), base) if base is not None else None
    except InvalidRevision:
        before = None
    return compare_states(site, before, desired, review.load(prospect.base).state)


def _shown(review: Review, record: ChangeRecord) -> ShownChange:
    words = review.book.last_words(record)
    standing = {word.account for word in review.book.counting_approvals(record)}
    ended = record.state is not ChangeState.OPEN
    return ShownChange(
        number=record.number,
        state=record.state,
        title=record.title,
        branch=record.branch,
        requester=record.requester,
        head=record.head,
        opened_at=record.opened_at,
        ended_at=record.ended_at if ended else None,
        ended_by=record.ended_by if ended else "",
        approved_by=tuple(word.account for word in words if word.account in standing),
        rejected_by=tuple(word.account for word in words if word.verdict == "rejected"),
    )
