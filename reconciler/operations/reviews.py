"""Where it is known how commits came onto the branch, and what a change lacks before it may be merged."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.approval.evidence import Evidence
from reconciler.approval.forge import Reviews
from reconciler.approval.needs import needs_of
from reconciler.approval.policy import judge
from reconciler.approval.signed_reviews import SignedReviews
from reconciler.desired.loading import load
from reconciler.desired.people import People
from reconciler.desired.repository import GitRepository
from reconciler.operations.admitting import combined, load_state, pgp_keys, placements
from reconciler.operations.desired import hosts_repository, mirror_of
from reconciler.operations.review import open_forge
from reconciler.site import Site


def reviews_of(site: Site, mirror: GitRepository) -> Reviews:
    """Return where the installation learns who approved what.

    Raises:
        RepositoryError: the repository that the daemon holds cannot be made or read.
    """
    if hosts_repository(site.settings):
        return open_forge(site)

    def keys() -> Iterable[str]:
        # Whose key it is is told by what was approved: here it only matters that signatures can be checked.
        commit = site.revisions.in_force()
        state = load_state(site, mirror, commit) if commit is not None else None
        return pgp_keys(state) if state is not None else ()

    return SignedReviews(mirror, keys)


def missing_approvals(site: Site, repository: GitRepository, evidence: Evidence) -> tuple[str, ...]:
    """Return why a merge that is yet to be made would not count; nothing where it would.

    Args:
        site: the installation.
        repository: where the draft of the merge is.
        evidence: what is known of the draft: a merge of the change into the branch, that validates.

    Raises:
        RepositoryError: the draft is not there.
    """
    root = site.settings.root
    base = load(repository, repository.commit(evidence.commit).parents[0], root, site.loads).state
    after = load(repository, evidence.commit, root, site.loads).state
    if base is None or after is None:
        return ("what it builds on does not validate, so nobody can tell what it changes",)
    approved = combined(site, mirror_of(site), base)
    found = []
    for need in needs_of(base, after, placements(site)):
        source = approved.of(need.environment)
        people = People(source.people, source.groups)
        judged = judge(source.approvals_for(need.environment), people, source.emergency, evidence)
        found += [f"{need.environment}: {reason}" for reason in judged.reasons]
    return tuple(found)
