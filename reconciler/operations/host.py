"""Shows one host: where it stands, what it has, and what was tried there lately."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.kernel.errors import ReconcilerError
from reconciler.operations.desired import state_in_force
from reconciler.operations.fleet import known_hosts
from reconciler.operations.identity import last_replacement
from reconciler.planning.hosts import KnownHost
from reconciler.planning.status import HostStatus, host_status
from reconciler.site import Site
from reconciler.store.attempts import AttemptRecord
from reconciler.store.replacements import Replacement

RECENT_ATTEMPTS = 10
"""How many of a host's attempts are shown."""


class UnknownHost(ReconcilerError):
    """A host that no file names and that has not enrolled."""

    reference = "unknown-host"


@dataclass(frozen=True, slots=True)
class HostDetail:
    """One host: its standing, what is known of it, and its newest attempts.

    ``replacement`` is how it came by its present key, where that took another one's place.
    """

    status: HostStatus
    known: KnownHost
    attempts: tuple[AttemptRecord, ...]
    replacement: Replacement | None


def find_host(site: Site, name: str) -> KnownHost:
    """Return what is known of a host, by its name in any case.

    Raises:
        UnknownHost: no file names it and it has not enrolled.
        NothingInForce: no valid revision was seen yet.
    """
    for host in known_hosts(site, state_in_force(site)):
        if host.name == name.upper():
            return host
    raise UnknownHost(
        f"there is no host {name}",
        hint="reconciler status lists every host; one without a file must enrol before it is known",
    )


def host_detail(site: Site, name: str) -> HostDetail:
    """Return all that there is to show of a host.

    Args:
        site: the installation.
        name: the host's name, in any case.

    Raises:
        UnknownHost: no file names it and it has not enrolled.
        NothingInForce: no valid revision was seen yet.
    """
    known = find_host(site, name)
    status = host_status(known, site.clock(), site.settings.silent_seconds)
    attempts = site.attempts.newest(host=known.name, limit=RECENT_ATTEMPTS)
    return HostDetail(status, known, attempts, last_replacement(site, known.name))
