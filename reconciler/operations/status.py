"""Tells where everything stands: the revision in force, trouble in following it, and every host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.approval.admission import AdmissionState
from reconciler.desired.model import DesiredState
from reconciler.grants.loading import GrantsUnusable, load_grants
from reconciler.grants.uses import refused_channels
from reconciler.kernel.status import Reason
from reconciler.operations.desired import mirror_of, state_in_force
from reconciler.operations.fleet import known_hosts
from reconciler.planning.status import HostStatus, host_status
from reconciler.site import Site
from reconciler.store.outbox import Waiting as UndeliveredLetters
from reconciler.store.revisions import RevisionRecord, Verdict
from reconciler.store.shortages import SHORTAGE_FACT, low_space

_REASONS = {
    AdmissionState.UNAPPROVED: Reason.UNAPPROVED,
    AdmissionState.REWRITTEN: Reason.REWRITTEN,
    AdmissionState.AWAITING_EVIDENCE: Reason.AWAITING_EVIDENCE,
}


@dataclass(frozen=True, slots=True)
class Halt:
    """A release (``None``: the absence) of a package that hosts of an environment do not begin, and why."""

    environment: str
    package: str
    version: str | None
    message: str
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """An environment that does not follow the branch: what it stays at since when, and why.

    ``commit`` is what it is at, ``blocked`` the first commit that may not count for it.
    """

    environment: str
    status: Reason
    commit: str
    blocked: str
    subject: str
    author: str
    since: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SiteStatus:
    """Where everything stands.

    ``rejected`` is the newest revision where that is not the one in force because it does not validate;
    ``fetch_trouble`` says why the repository cannot be followed now, empty where it can. ``notifications`` are
    the channels where something waits to be told, or was given up. ``waiting`` are the environments that stay
    where they are, since what is newer is not approved for them. ``shortage`` says what the server is short of
    (disk space, open files), empty where nothing is. ``refused`` says which uses of notification channels the
    server's configuration does not grant, and what to do.
    """

    in_force: RevisionRecord | None
    rejected: RevisionRecord | None
    fetch_trouble: str
    hosts: tuple[HostStatus, ...]
    halts: tuple[Halt, ...] = ()
    notifications: tuple[UndeliveredLetters, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    shortage: str = ""
    refused: tuple[str, ...] = ()


def site_status(site: Site, environment: str | None = None) -> SiteStatus:
    """Return where everything stands.

    Args:
        site: the installation.
        environment: only hosts of this environment.

    Raises:
        RepositoryError: the mirror lacks the revision in force.
    """
    # A revision that has only just come is told once it is known how far each environment follows it: till then
    # hosts that match what went before would seem to match it.
    commit = site.approvals.up_to() or site.revisions.in_force()
    newest = next(iter(site.revisions.newest()), None)
    hosts: tuple[HostStatus, ...] = ()
    refused: tuple[str, ...] = ()
    if commit is not None:
        now, silent_after = site.clock(), site.settings.silent_seconds
        desired = state_in_force(site)
        refused = _refused(site, desired)
        hosts = tuple(
            host_status(host, now, silent_after)
            for host in known_hosts(site, desired)
            if environment is None or host.environment == environment
        )
    return SiteStatus(
        in_force=site.revisions.find(commit) if commit is not None else None,
        rejected=newest if newest is not None and newest.verdict is Verdict.INVALID else None,
        fetch_trouble=site.revisions.fact("fetchTrouble") or "",
        hosts=hosts,
        halts=_halts(hosts),
        notifications=site.outbox.waiting(),
        waiting=_waiting(site, environment),
        # A full disk keeps the daemon from putting it on record.
        shortage=site.revisions.fact(SHORTAGE_FACT) or low_space(site.settings.data),
        refused=refused,
    )


def _refused(site: Site, desired: DesiredState) -> tuple[str, ...]:
    if not desired.notifications.channels:
        return ()
    settings = site.settings
    try:
        found = refused_channels(desired, load_grants(settings.grants, settings.data))
        return tuple(f"{refusal.message}: {refusal.hint}" for refusal in found)
    except GrantsUnusable as error:
        return (str(error),)


def _waiting(site: Site, environment: str | None) -> tuple[Waiting, ...]:
    records = [
        record
        for name, record in sorted(site.approvals.admissions().items())
        if record.admission.state is not AdmissionState.APPROVED and environment in (None, name)
    ]
    mirror = mirror_of(site) if records else None
    found = []
    for record in records:
        item = record.admission
        assert mirror is not None
        commit = mirror.commit(item.blocked)
        author = f"{commit.author} <{commit.author_email}>"
        found.append(
            Waiting(
                item.environment,
                _REASONS[item.state],
                item.commit,
                item.blocked,
                commit.subject,
                author,
                record.since,
                item.reasons,
            )
        )
    return tuple(found)


def _halts(hosts: Iterable[HostStatus]) -> tuple[Halt, ...]:
    halted: dict[tuple[str, str, str | None, str], list[str]] = {}
    for host in hosts:
        for standing in host.packages:
            if standing.reason is Reason.HALTED:
                key = (host.environment, standing.package, standing.wanted, standing.message)
                halted.setdefault(key, []).append(host.host)
    return tuple(Halt(*key, tuple(names)) for key, names in halted.items())
