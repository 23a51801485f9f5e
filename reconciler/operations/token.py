"""Makes a one-time token with which a host can enrol."""

from __future__ import annotations

from reconciler.hosts.enrolment import issue_token
from reconciler.kernel.errors import ReconcilerError
from reconciler.operations.desired import state_in_force
from reconciler.site import Site


class UnknownEnvironment(ReconcilerError):
    """An environment that the revision in force does not have."""

    reference = "unknown-environment"


def make_token(site: Site, environment: str) -> str:
    """Make a token for one host, good for an environment, and return it. Only its hash is kept.

    Raises:
        UnknownEnvironment: the revision in force has no such environment.
        NothingInForce: no valid revision was seen yet.
    """
    environments = state_in_force(site).environments
    if environment not in environments:
        raise UnknownEnvironment(
            f"there is no environment {environment}", hint=f"there are: {', '.join(environments)}"
        )
    return issue_token(site.hosts, environment, site.clock())
