"""Answers why a package is as it is on a host: from the commit that asked, to what ran and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reconciler.approval.admission import Decision
from reconciler.approval.evidence import Change
from reconciler.kernel.attempts import Attempt, Cause, cause_of_attempt
from reconciler.kernel.convergence import Standing
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.kinds.msi import group_families
from reconciler.kernel.observation import InstalledProduct
from reconciler.kernel.retries import Retry
from reconciler.operations.desired import mirror_of, state_in_force
from reconciler.operations.host import find_host
from reconciler.operations.provenance import Provenance, asked_by
from reconciler.planning.status import host_status
from reconciler.site import Site

RECENT_ATTEMPTS = 10
"""How many attempts are shown."""

RECENT_RETRIES = 3
"""How many retries are shown."""


class NotManaged(ReconcilerError):
    """A package that the revision in force says nothing about on this host."""

    reference = "not-managed"


@dataclass(frozen=True, slots=True)
class Approved:
    """By what a commit came to count: the change it came by, and what was decided of it for the environment.

    ``change`` is ``None`` for one that came by no change, or needed none.
    """

    change: Change | None
    decision: Decision


@dataclass(frozen=True, slots=True)
class TracedAttempt:
    """An attempt, the commit that asked for it where that is still known, and its log where one was sent.

    ``approved`` says by whom that commit was approved, ``None`` where that was not asked for. ``cause`` is why it
    came to nothing, which says how long the next one waits.
    """

    attempt: Attempt
    asked_by: Provenance | None
    approved: Approved | None
    log: Path | None
    cause: Cause | None


@dataclass(frozen=True, slots=True)
class Trace:
    """Why a package is as it is on a host.

    ``asked_by`` is the commit that brought the present wish into the host's environment, ``approved`` by whom that
    was approved; ``since`` when the package came to stand as it does, in seconds since the epoch. ``retries`` are
    the last ones that somebody asked for, the newest first.
    """

    host: str
    environment: str
    package: str
    standing: Standing
    since: float | None
    asked_by: Provenance | None
    approved: Approved | None
    installed: tuple[InstalledProduct, ...]
    attempts: tuple[TracedAttempt, ...]
    retries: tuple[Retry, ...]


def trace(site: Site, host: str, package: str) -> Trace:
    """Trace a package on a host.

    Args:
        site: the installation.
        host: the host's name, in any case.
        package: the package's name.

    Raises:
        UnknownHost: no file names the host and it has not enrolled.
        NotManaged: nothing is wanted of the package there, and nothing was ever tried.
        NothingInForce: no valid revision was seen yet.
    """
    desired = state_in_force(site)
    known = find_host(site, host)
    status = host_status(known, site.clock(), site.settings.silent_seconds)
    standing = next((s for s in status.packages if s.package == package), None)
    if standing is None:
        managed = ", ".join(s.package for s in status.packages) or "nothing"
        raise NotManaged(
            f"nothing is wanted of {package} here",
            where=known.name,
            hint=f"managed on this host: {managed}; reconciler history --host shows what was tried before",
        )
    mirror = mirror_of(site)
    goal = next(goal for goal in known.assignment.goals if goal.package == package)
    products = known.observation.products if known.observation is not None else ()
    records = site.attempts.newest(host=known.name, package=package, limit=RECENT_ATTEMPTS)
    wanted = package, goal.target.version if goal.target is not None else None
    asked = asked_by(site, mirror, desired.of(known.environment).revision, known, wanted)
    return Trace(
        host=known.name,
        environment=known.environment,
        package=package,
        standing=standing,
        since=site.standings.since(known.name).get(package),
        asked_by=asked,
        approved=_approved(site, asked, known.environment),
        installed=group_families([goal], products).get(package, ()),
        attempts=tuple(
            TracedAttempt(
                record.attempt,
                (
                    by := asked_by(
                        site, mirror, record.attempt.revision, known, (package, record.attempt.to_version)
                    )
                ),
                _approved(site, by, known.environment),
                site.logs.find(record.attempt.id),
                cause_of_attempt(record.attempt),
            )
            for record in records
        ),
        retries=site.retries.newest(
            host=known.name, environment=known.environment, package=package, limit=RECENT_RETRIES
        ),
    )


def _approved(site: Site, asked: Provenance | None, environment: str) -> Approved | None:
    if asked is None:
        return None
    decision = site.approvals.decisions(asked.commit.id).get(environment)
    reviewed = site.approvals.reviewed(asked.commit.id)
    return Approved(reviewed.change if reviewed is not None else None, decision) if decision is not None else None
