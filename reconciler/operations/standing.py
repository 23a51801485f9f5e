"""Keeps where a host stands, and says what changed."""

from __future__ import annotations

from reconciler.planning.hosts import KnownHost
from reconciler.planning.status import HostStatus, host_status
from reconciler.site import Site
from reconciler.store.standings import PackageStanding, Transition


def record_standing(site: Site, host: KnownHost) -> tuple[Transition, ...]:
    """Judge a host and keep what came out.

    Returns:
        what changed since it was last judged; running it again right away returns nothing.
    """
    now = site.clock()
    status = host_status(host, now, site.settings.silent_seconds)
    return site.standings.update(host.name, _standings(status), now)


def _standings(status: HostStatus) -> list[PackageStanding]:
    own = PackageStanding(status.host, "", status.sync, status.health, status.reason, None, None, status.message)
    packages = [
        PackageStanding(
            status.host,
            standing.package,
            standing.sync,
            standing.health,
            standing.reason,
            standing.installed,
            standing.wanted,
            standing.message,
        )
        for standing in status.packages
    ]
    return [own, *packages]
