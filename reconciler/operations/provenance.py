"""Finds the commit that asked for what a host should have of a package."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from reconciler.desired.loading import load
from reconciler.desired.repository import Commit, GitRepository, RepositoryError
from reconciler.planning.hosts import KnownHost
from reconciler.site import Site

FURTHEST_BACK = 500
"""Commits that are gone back at the most, so that a long history cannot hold an answer up."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """The commit that a wish came from: the oldest, going back, since which the wish has been the same."""

    commit: Commit
    version: str | None
    """The version wished for; ``None`` where the package should be absent."""


def asked_by(site: Site, mirror: GitRepository, revision: str, host: KnownHost, package: str) -> Provenance | None:
    """Return the commit that asked for what ``revision`` wants of a package on a host.

    Goes back along first parents and stops at the commit before which the wish was another one. Commits that
    changed nothing below the root of the desired state are passed over without being read.

    Args:
        site: the installation.
        mirror: the mirror of the desired-state repository.
        revision: where to begin.
        host: the host.
        package: the package's name.

    Returns:
        ``None`` where the revision is gone from the repository, or wants nothing of the package there.
    """
    root = site.settings.root
    try:
        wish = _wish(mirror, revision, root, host.name, host.environment, package)
        found = mirror.commit(revision)
        for _ in range(FURTHEST_BACK):
            if wish is None or not found.parents:
                break
            parent = found.parents[0]
            if mirror.changed_paths(parent, found.id, root) and (
                _wish(mirror, parent, root, host.name, host.environment, package) != wish
            ):
                break
            found = mirror.commit(parent)
    except RepositoryError:
        return None
    return Provenance(found, wish[0]) if wish is not None else None


def _wish(
    mirror: GitRepository, commit: str, root: str, host: str, environment: str, package: str
) -> tuple[str | None] | None:
    wishes = _wishes(mirror, commit, root, host, environment)
    return (wishes[package],) if package in wishes else None


@lru_cache(maxsize=1024)
def _wishes(mirror: GitRepository, commit: str, root: str, host: str, enrolled_into: str) -> dict[str, str | None]:
    """Return the version wanted of each package of a host; nothing for a commit that does not validate."""
    state = load(mirror, commit, root).state
    environment = state.environment_of(host, enrolled_into) if state is not None else None
    if state is None or environment is None:
        return {}
    return {
        name: release.version if release is not None else None
        for name, release in state.wanted(environment, host).items()
    }
