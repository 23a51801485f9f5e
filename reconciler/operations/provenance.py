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


def asked_by(
    site: Site, mirror: GitRepository, revision: str, host: KnownHost, wanted: tuple[str, str | None]
) -> Provenance | None:
    """Return the commit that asked for a version of a package on a host.

    Goes back along first parents to the newest commit that asks for this version: later ones may ask for another
    that is not approved. From there it goes on to the commit before which another one was asked for. Commits that
    changed nothing below the root of the desired state are passed over without being read.

    Args:
        site: the installation.
        mirror: the mirror of the desired-state repository.
        revision: where to begin.
        host: the host.
        wanted: the package's name, and its version; ``None`` where it should be absent.

    Returns:
        ``None`` where the revision is gone from the repository, or no commit is found that asks for this.
    """
    root = site.settings.root
    try:
        package, version = wanted
        found = mirror.commit(revision)
        there = _wish(mirror, revision, root, host.name, host.environment, package) == (version,)
        for _ in range(FURTHEST_BACK):
            if not found.parents:
                break
            parent = found.parents[0]
            if mirror.changed_paths(parent, found.id, root):
                before = _wish(mirror, parent, root, host.name, host.environment, package) == (version,)
                if there and not before:
                    break
                there = before
            found = mirror.commit(parent)
    except RepositoryError:
        return None
    return Provenance(found, version) if there else None


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
