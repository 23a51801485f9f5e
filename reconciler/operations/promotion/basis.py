"""Says between which environments a promotion goes, on top of the newest commit of the branch that is followed."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.desired.commits import read_text
from reconciler.desired.layout import ENVIRONMENT_FILE
from reconciler.desired.model import DesiredState, Environment
from reconciler.desired.repository import GitRepository
from reconciler.desired.suggestions import closest
from reconciler.kernel.errors import ReconcilerError
from reconciler.operations.desired import state_at
from reconciler.planning.proposal_report import trailer
from reconciler.site import Site


class CannotPromote(ReconcilerError):
    """A promotion that makes no sense as asked."""

    reference = "cannot-promote"


@dataclass(frozen=True, slots=True)
class Basis:
    """What a promotion is worked out on: the newest commit of the branch that is followed."""

    site: Site
    mirror: GitRepository
    head: str
    desired: DesiredState
    source: str
    target: str

    @property
    def path(self) -> str:
        """The target's file within the repository."""
        root = self.site.settings.root.strip("/")
        return f"{root}/{self.target}/{ENVIRONMENT_FILE}" if root else f"{self.target}/{ENVIRONMENT_FILE}"

    @property
    def trailer(self) -> str:
        """The line by which a commit is known as a promotion between these two."""
        return trailer(self.source, self.target)

    @property
    def text(self) -> str:
        """The text of the target's file."""
        return read_text(self.mirror, self.head, self.path) or ""


def find_basis(site: Site, mirror: GitRepository, target: str, source: str | None) -> Basis:
    """Return what a promotion is worked out on.

    Args:
        site: the installation.
        mirror: the mirror, fetched.
        target: the environment that gets the versions.
        source: the one that has them, by its full name or as the target's file may name it; ``None`` for the one
            that the target's ``promotesFrom`` names.

    Raises:
        CannotPromote: there is no such environment, or the target does not take its versions from that source.
        InvalidRevision: the branch that is followed does not validate.
    """
    head = mirror.head(site.settings.branch)
    desired = state_at(site, mirror, head)
    environment = _environment(desired, target)
    return Basis(site, mirror, head, desired, _source(desired, environment, source), environment.name)


def _environment(desired: DesiredState, name: str) -> Environment:
    found = desired.environments.get(name)
    if found is None:
        near = closest(name, list(desired.environments))
        raise CannotPromote(
            f"there is no environment {name}",
            hint=f"did you mean {near}?" if near else f"there are: {', '.join(desired.environments)}",
        )
    return found


def _source(desired: DesiredState, target: Environment, given: str | None) -> str:
    """Return the environment to promote from; a name that is given has to mean the same."""
    upstream = target.promotes_from
    if upstream is None:
        raise CannotPromote(
            f"{target.name} names no environment that its versions come from",
            hint="set promotesFrom in its file, or change its versions by a commit",
        )
    if given is not None:
        within = f"{target.tenant}/{given}"
        meant = within if within in desired.environments and within != target.name else given
        if upstream not in (meant, given):
            raise CannotPromote(
                f"{target.name} takes its versions from {upstream}, not from {given}",
                hint=f"leave --from out, or promote to {given} first",
            )
    return upstream
