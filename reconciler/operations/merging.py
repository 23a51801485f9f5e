"""Says what a change lacks before it may be merged: by the policy of every environment that it concerns."""

from __future__ import annotations

from reconciler.approval.concerns import Concerns
from reconciler.approval.evidence import Evidence
from reconciler.approval.git_evidence import evidence_of
from reconciler.approval.policy import judge
from reconciler.desired.cache import LoadCache
from reconciler.desired.loading import load
from reconciler.desired.people import People
from reconciler.desired.repository import GitRepository
from reconciler.operations.admitting import load_state, pgp_keys, placements
from reconciler.operations.desired import mirror_of
from reconciler.site import Site


def missing_approvals(
    site: Site, repository: GitRepository, evidence: Evidence, loads: LoadCache
) -> tuple[str, ...]:
    """Return why a merge that is yet to be made would not count; nothing where it would.

    An environment has a say where the merge asks something of it that neither the branch asks already nor what was
    approved for it last. It judges by the policy and the people that were approved for it last, as it will when
    the merge is on the branch. So what takes back something unapproved can be merged, and what mends a branch that
    does not validate.

    Args:
        site: the installation.
        repository: where the draft of the merge is.
        evidence: what is known of the draft: a merge of the change into the branch, that validates.
        loads: what earlier loads from that repository left.

    Raises:
        RepositoryError: the draft is not there.
    """
    root, placed, mirror = site.settings.root, placements(site), mirror_of(site)
    after = load(repository, evidence.commit, root, loads).state
    assert after is not None, "only what validates is asked about"
    before = load(repository, repository.commit(evidence.commit).parents[0], root, loads).state
    wanted, standing = Concerns(after, placed), Concerns(before, placed) if before is not None else None
    up_to, admissions = site.approvals.up_to(), site.approvals.admissions()
    reasons: list[str] = []
    for name in sorted({*after.environments, *admissions}):
        asked = wanted.of(name).asked
        if standing is not None and standing.of(name).asked == asked:
            continue
        commit = admissions[name].admission.commit if name in admissions else up_to
        approved = load_state(site, mirror, commit) if commit is not None else None
        if approved is None or Concerns(approved, placed).of(name).asked == asked:
            continue
        known = evidence_of(repository, evidence.commit, evidence.change, pgp_keys(approved))
        people = People(approved.people, approved.groups)
        judged = judge(approved.approvals_for(name), people, approved.emergency, known)
        reasons += (f"{name}: {reason}" for reason in judged.reasons)
    return tuple(reasons)
