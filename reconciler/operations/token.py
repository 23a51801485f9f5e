"""Makes a one-time token with which a host can enrol."""

from __future__ import annotations

from reconciler.hosts.enrolment import issue_token
from reconciler.kernel.errors import ReconcilerError
from reconciler.operations.desired import state_in_force
from reconciler.site import Site


class UnknownEnvironment(ReconcilerError):
    """An environment that the revision in force does not have."""

    reference = "unknown-environment"


def make_token(site: Site, environment: str, host: str | None = None) -> str:
    """Make a token for one host, good for an environment, and return it. Only its hash is kept.

    Args:
        site: the installation.
        environment: the environment that the host will belong to.
        host: the only host that may use it, in any case; it may also replace that host's key. ``None`` for any
            new host.

    Raises:
        UnknownEnvironment: the revision in force has no such environment, or puts the host into another one.
        NothingInForce: no valid revision was seen yet.
    """
    desired = state_in_force(site)
    if environment not in desired.environments:
        raise UnknownEnvironment(
            f"there is no environment {environment}", hint=f"there are: {', '.join(desired.environments)}"
        )
    named = desired.host(host) if host is not None else None
    if named is not None and named.environment != environment:
        raise UnknownEnvironment(
            f"the desired state puts this host into {named.environment}, not {environment}",
            where=host,
            hint=f"give --environment {named.environment}",
        )
    return issue_token(site.hosts, environment, site.clock(), host)


def make_token_for(site: Site, host: str) -> str:
    """Make a token for a host that a file names or that has enrolled, good for its environment.

    Raises:
        UnknownEnvironment: nobody knows the host, so nobody knows its environment.
        NothingInForce: no valid revision was seen yet.
    """
    desired, known = state_in_force(site), site.hosts.find(host.upper())
    environment = desired.environment_of(host, known.environment if known is not None else None)
    if environment is None:
        raise UnknownEnvironment("this host is not known yet", where=host, hint="give --environment as well")
    return make_token(site, environment, host)
