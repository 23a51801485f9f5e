"""Follows the branch: a new head that validates comes into force, one that does not is put on record."""

from __future__ import annotations

from dataclasses import dataclass

import pygit2

from reconciler.approval.admission import Admission
from reconciler.approval.forge import Reviews
from reconciler.desired.findings import as_json
from reconciler.desired.loading import load
from reconciler.desired.mirror import fetch
from reconciler.desired.model import DesiredState
from reconciler.desired.repository import GitRepository
from reconciler.kernel.assignment import Hold
from reconciler.operations.admitting import Admitter
from reconciler.operations.desired import PINNED, state_as_approved
from reconciler.operations.emergency import keep_signers, lacks_signers
from reconciler.operations.in_force import mark_of
from reconciler.site import Site
from reconciler.store.revisions import RevisionRecord, Verdict


@dataclass(frozen=True, slots=True)
class Followed:
    """What a look at the branch showed.

    ``state`` is set where it is another than the one held, and ``mark`` tells the two apart. ``record`` is set
    where the head is new. ``moved`` are the environments that were let through, or wait.
    """

    head: str
    mark: str = ""
    state: DesiredState | None = None
    record: RevisionRecord | None = None
    moved: tuple[Admission, ...] = ()


def follow(site: Site, mirror: GitRepository, held: str | None, reviews: Reviews) -> Followed:
    """Fetch, take in the head of the branch, and let each environment follow as far as it is approved.

    Running it again changes nothing. A head that does not validate leaves the last good revision in force. One
    that does not build on the last (a force push) is marked on record, and environments that need approvals wait.

    Args:
        site: the installation.
        mirror: the mirror of the desired-state repository.
        held: the mark of the state held in memory. Where it is not the one in force (the mirror was lost and is
            whole again, say), the state in force is returned once more.
        reviews: where it is known how commits came onto the branch.

    Raises:
        FetchError: the repository cannot be reached now.
        RepositoryError: it cannot be read, or has no such branch.
    """
    admitter = Admitter(site, mirror, reviews)
    before = site.revisions.in_force()
    if before is not None and site.approvals.up_to() is None:
        admitter.look(before)  # else what comes now would be taken for what was there from the first
    fetch(mirror)
    head = mirror.head(site.settings.branch)
    record = _take_in(site, mirror, head)
    in_force = site.revisions.in_force()
    if in_force is None:
        return Followed(head, record=record)
    mirror.handle().references.create(PINNED, pygit2.Oid(hex=in_force), force=True)
    moved = admitter.look(in_force)
    mark = mark_of(site, in_force)
    if mark == held and not lacks_signers(site):
        return Followed(head, mark, None, record, moved)
    state = state_as_approved(site, mirror, in_force)
    keep_signers(site, state)
    site.holds.record(_holds(state), state.revision, site.clock())
    return Followed(head, mark, state, record, moved)


def _holds(state: DesiredState) -> dict[str, Hold]:
    held = {f"environment {name}": item.hold for name, item in state.environments.items()}
    held |= {f"host {name}": item.hold for name, item in state.hosts.items()}
    return {name: hold for name, hold in held.items() if hold is not None}


def _take_in(site: Site, mirror: GitRepository, head: str) -> RevisionRecord | None:
    """Put a head on record; ``None`` where it is there already."""
    newest = next(iter(site.revisions.newest()), None)
    if newest is not None and newest.commit == head:
        return None
    commit = mirror.commit(head)
    loaded = load(mirror, head, site.settings.root, site.loads)
    record = RevisionRecord(
        commit=head,
        seen_at=site.clock(),
        committed_at=float(commit.committed_at),
        author=f"{commit.author} <{commit.author_email}>",
        subject=commit.subject,
        verdict=Verdict.INVALID if loaded.state is None else Verdict.IN_FORCE,
        findings=tuple(as_json(finding) for finding in loaded.findings),
        rewritten=newest is not None and not mirror.is_ancestor(newest.commit, head),
    )
    if loaded.state is not None:
        mirror.handle().references.create(PINNED, pygit2.Oid(hex=head), force=True)
    site.revisions.record(record)
    return record
