"""Plans a revision: what it would take on every host, by what the hosts last said."""

from __future__ import annotations

from reconciler.desired.mirror import fetch
from reconciler.operations.desired import mirror_of, state_at, state_in_force
from reconciler.operations.fleet import known_hosts
from reconciler.planning.plan import Plan, plan
from reconciler.site import Site


def plan_revision(site: Site, revision: str | None) -> Plan:
    """Plan a revision. Changes nothing.

    Args:
        site: the installation.
        revision: a branch, tag or commit of the repository, fetched afresh; ``None`` for the one in force.

    Raises:
        NothingInForce: no revision was given, and none is in force.
        InvalidRevision: the revision does not validate.
        RepositoryError: there is no such revision.
    """
    if revision is None:
        desired = state_in_force(site)
    else:
        mirror = mirror_of(site)
        fetch(mirror)
        desired = state_at(site, mirror, mirror.resolve(revision))
    return plan(desired.revision, known_hosts(site, desired), site.clock())
