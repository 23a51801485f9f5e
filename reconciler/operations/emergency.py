"""Keeps who may declare an emergency where the hosted repository's hook finds it."""

from __future__ import annotations

from reconciler.desired.model import DesiredState
from reconciler.desired.people import People
from reconciler.operations.desired import hosted_repository, hosts_repository
from reconciler.review.emergencies import SIGNERS_FILE, write_signers
from reconciler.site import Site


def lacks_signers(site: Site) -> bool:
    """Return whether the daemon holds its repository, and nothing says yet who may declare an emergency."""
    folder = hosted_repository(site.settings)
    return hosts_repository(site.settings) and folder.exists() and not (folder / SIGNERS_FILE).exists()


def keep_signers(site: Site, in_force: DesiredState) -> None:
    """Write down the keys of those who may declare an emergency for any environment, by what is in force there."""
    if not hosts_repository(site.settings):
        return
    keys: set[str] = set()
    for name in in_force.environments:
        state = in_force.of(name)
        if state.emergency and not state.approvals_for(name).demands_nothing:
            members = People(state.people, state.groups).members([state.emergency])
            keys.update(key for member in members if member in state.people for key in state.people[member].keys)
    write_signers(hosted_repository(site.settings), keys)
