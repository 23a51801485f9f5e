"""Raises the limit on open files at the start, and says how many connections that allows."""

from __future__ import annotations

import resource
from dataclasses import dataclass

from reconciler.daemon.connections.book import Caps
from reconciler.settings import Settings

OWN_FILES = 256
"""Descriptors that connections never take: the database, git and its pipes, logs, what is sent to hosts."""

MOST_FILES = 1_048_576
"""Descriptors that are asked for where the system sets no limit."""


@dataclass(frozen=True, slots=True)
class OpenFiles:
    """How many files this process may have open."""

    limit: int

    def caps(self, settings: Settings) -> Caps:
        """Return how many connections there may be. At most half of what there is goes to unauthenticated ones."""
        own = min(OWN_FILES + 2 * settings.push_concurrency, self.limit // 2)
        total = max(self.limit - own, 8)
        unauthenticated = min(settings.unauthenticated_connections, total // 2)
        return Caps(total, unauthenticated, min(settings.unauthenticated_per_address, unauthenticated))

    def shortfall(self, settings: Settings, hosts: int) -> str:
        """Return why a fleet of so many hosts cannot stay connected; empty where it can."""
        caps = self.caps(settings)
        wanted = hosts + caps.unauthenticated
        if wanted <= caps.total:
            return ""
        needed = self.limit + wanted - caps.total
        return (
            f"{hosts} hosts and {caps.unauthenticated} unauthenticated connections need {needed} open files, and "
            f"the limit is {self.limit}: raise it (LimitNOFILE= in the systemd unit, or ulimit -Hn)"
        )


def raise_open_files() -> OpenFiles:
    """Raise the limit of this process to what the system allows, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (OSError, ValueError):
            return OpenFiles(soft)  # what there was stays
    return OpenFiles(MOST_FILES if soft == resource.RLIM_INFINITY else soft)
