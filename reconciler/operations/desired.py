"""Gets at the desired state: the mirror of its repository, and the state at a revision."""

from __future__ import annotations

from pathlib import Path

from reconciler.desired.cache import LoadCache
from reconciler.desired.loading import load
from reconciler.desired.mirror import open_mirror
from reconciler.desired.model import DesiredState
from reconciler.desired.repository import GitRepository
from reconciler.kernel.errors import ReconcilerError
from reconciler.operations.in_force import combined
from reconciler.settings import Settings
from reconciler.site import Site

PINNED = "refs/reconciler/in-force"
"""The ref in the mirror that keeps the revision in force from being collected after a force push."""


class NothingInForce(ReconcilerError):
    """There is no desired state yet."""

    reference = "nothing-in-force"


class InvalidRevision(ReconcilerError):
    """A revision whose files break the rules of the format."""

    reference = "invalid-revision"


def hosted_repository(settings: Settings) -> Path:
    """Return where the daemon's own repository is, or would be."""
    return (settings.data / "desired.git").resolve()


def hosts_repository(settings: Settings) -> bool:
    """Return whether the daemon holds the repository itself: it is told so, or it did when it last ran."""
    if settings.host_repository or not settings.repository:
        return settings.host_repository
    return Path(settings.repository).resolve() == hosted_repository(settings)


def repository_address(site: Site) -> str:
    """Return where the desired-state repository is: as set, or as the daemon last followed it.

    Raises:
        NothingInForce: no repository is known.
    """
    if hosts_repository(site.settings):
        return str(hosted_repository(site.settings))
    address = site.settings.repository
    if not address:
        raise NothingInForce(
            "no desired-state repository is known",
            where=str(site.settings.data),
            hint="give --repository with its path or URL, or --host-repository to have the daemon hold it",
        )
    path = Path(address)
    return str(path.resolve()) if path.exists() else address


def mirror_of(site: Site) -> GitRepository:
    """Return the daemon's mirror of the desired-state repository, without fetching.

    Raises:
        RepositoryError: the mirror cannot be opened.
        NothingInForce: no repository is known.
    """
    return open_mirror(repository_address(site), site.settings.data / "repository.git")


def state_in_force(site: Site) -> DesiredState:
    """Return the desired state that is in force: every environment as far as it is approved.

    Raises:
        NothingInForce: no valid revision was seen yet.
        RepositoryError: the mirror lacks it.
    """
    commit = site.revisions.in_force()
    if commit is None:
        raise NothingInForce(
            "no valid revision of the desired state was seen yet",
            where=str(site.settings.data),
            hint="start the daemon with --repository, and look at: reconciler status",
        )
    return state_as_approved(site, mirror_of(site), commit)


def state_as_approved(site: Site, mirror: GitRepository, commit: str) -> DesiredState:
    """Return the desired state with every environment as far as it is approved.

    Args:
        site: the installation.
        mirror: the mirror of the desired-state repository.
        commit: the commit in force.

    Raises:
        InvalidRevision: its files break the rules of the format.
        RepositoryError: the mirror lacks it, or one that an environment is taken from.
    """
    return combined(site, mirror, state_at(site, mirror, commit))


def state_at(site: Site, repository: GitRepository, commit: str) -> DesiredState:
    """Return the desired state at a commit.

    Raises:
        InvalidRevision: its files break the rules of the format.
        RepositoryError: the repository lacks it.
    """
    return load_valid(repository, commit, site.settings.root, site.loads)


def load_valid(repository: GitRepository, commit: str, root: str, cache: LoadCache | None = None) -> DesiredState:
    """Return the desired state at a commit.

    Args:
        repository: where the commit is.
        commit: its full id.
        root: the folder of the repository that holds the desired state.
        cache: what earlier loads left.

    Raises:
        InvalidRevision: its files break the rules of the format.
        RepositoryError: the repository lacks it.
    """
    loaded = load(repository, commit, root, cache)
    if loaded.state is None:
        first = loaded.findings[0]
        raise InvalidRevision(
            f"revision {commit[:10]} does not validate: {first.message}",
            where=f"{first.path}:{first.line}:{first.column}",
            hint="run reconciler validate on it for every finding",
        )
    return loaded.state
