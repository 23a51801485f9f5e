"""Follows the branch: a new head that validates comes into force, one that does not is put on record."""

from __future__ import annotations

from dataclasses import dataclass

import pygit2

from reconciler.desired.findings import as_json
from reconciler.desired.loading import load
from reconciler.desired.mirror import fetch
from reconciler.desired.model import DesiredState
from reconciler.desired.repository import GitRepository
from reconciler.operations.desired import PINNED
from reconciler.site import Site
from reconciler.store.revisions import RevisionRecord, Verdict


@dataclass(frozen=True, slots=True)
class Followed:
    """What a look at the branch showed. ``state`` is set where a new revision came into force."""

    head: str
    state: DesiredState | None = None
    record: RevisionRecord | None = None
    """Set where the head is new."""


def follow(site: Site, mirror: GitRepository, held: str | None) -> Followed:
    """Fetch, and take in the head of the branch if it is new. Running it again changes nothing.

    A head that does not validate leaves the last good revision in force. One that does not build on the last
    (a force push) is taken like any other, and marked on record.

    Args:
        site: the installation.
        mirror: the mirror of the desired-state repository.
        held: the commit whose state is held in memory. Where it is not the one in force (the mirror was lost
            and is whole again, say), the state in force is returned once more.

    Raises:
        FetchError: the repository cannot be reached now.
        RepositoryError: it cannot be read, or has no such branch.
    """
    fetch(mirror)
    head = mirror.head(site.settings.branch)
    newest = next(iter(site.revisions.newest()), None)
    if newest is not None and newest.commit == head:
        return Followed(head, _in_force_unless(site, mirror, held))

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
    return Followed(head, loaded.state, record)


def _in_force_unless(site: Site, mirror: GitRepository, held: str | None) -> DesiredState | None:
    in_force = site.revisions.in_force()
    if in_force is None or in_force == held:
        return None
    mirror.handle().references.create(PINNED, pygit2.Oid(hex=in_force), force=True)
    return load(mirror, in_force, site.settings.root, site.loads).state
