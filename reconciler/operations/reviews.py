"""Chooses where it is known how commits came onto the branch."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.approval.forge import Forge, Reviews
from reconciler.approval.signed_reviews import SignedReviews
from reconciler.desired.repository import GitRepository
from reconciler.operations.admitting import load_state
from reconciler.operations.desired import hosts_repository
from reconciler.operations.forges import connected_forge
from reconciler.operations.judging import pgp_keys
from reconciler.operations.landed_changes import LandedChanges
from reconciler.operations.review import open_forge
from reconciler.operations.witnessed_forge import WitnessedForge
from reconciler.site import Site


def forge_of(site: Site) -> Forge | None:
    """Return where changes are reviewed: in the built-in review, or at the forge that the settings name, if any.

    Raises:
        ForgeMisconfigured, CredentialMissing: the settings name a forge, and not all that is needed to ask it.
        RepositoryError: the repository that the daemon holds cannot be made or read.
    """
    if hosts_repository(site.settings):
        return open_forge(site)
    forge = connected_forge(site.settings)
    if forge is None:
        return None
    project = f"{site.settings.forge}:{site.settings.forge_project.strip('/').casefold()}"
    return WitnessedForge(forge, project, site.sightings, site.clock)


def reviews_of(site: Site, mirror: GitRepository) -> Reviews:
    """Return where the installation learns who approved what.

    Raises:
        ForgeMisconfigured, CredentialMissing: the settings name a forge, and not all that is needed to ask it.
        RepositoryError: the repository that the daemon holds cannot be made or read.
    """
    forge = forge_of(site)
    if forge is not None:
        built_in = hosts_repository(site.settings)
        return forge if built_in else LandedChanges(forge, mirror, site.settings.branch)

    def keys() -> Iterable[str]:
        # What is in force decides whose key it is, and whether it counts: here signatures only have to be checked.
        # So a key that somebody took out of the branch without an approval still counts.
        commits = {record.admission.commit for record in site.approvals.admissions().values()}
        newest = site.revisions.in_force()
        found = (load_state(site, mirror, commit) for commit in sorted(commits | ({newest} if newest else set())))
        people = [person for state in found if state is not None for person in state.people.values()]
        return dict.fromkeys(pgp_keys(people))

    return SignedReviews(mirror, keys, lambda name: site.approvals.received(name, site.clock()))
