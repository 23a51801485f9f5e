"""One installation, opened: its settings and stores. What operations work on, whoever asks for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from reconciler.artifacts.store import ArtifactStore
from reconciler.desired.cache import LoadCache
from reconciler.hosts.logs import AttemptLogs
from reconciler.settings import Settings
from reconciler.store.accounts import AccountStore
from reconciler.store.approvals import ApprovalStore
from reconciler.store.attempts import AttemptStore
from reconciler.store.audit import AuditStore
from reconciler.store.changes import ChangeStore
from reconciler.store.data_folder import make_data_folder, private_umask
from reconciler.store.database import Database
from reconciler.store.holds import HoldStore
from reconciler.store.hosts import HostStore
from reconciler.store.machines import MachineStore
from reconciler.store.managed import ManagedStore
from reconciler.store.outbox import OutboxStore
from reconciler.store.pushes import PushStore
from reconciler.store.replacements import ReplacementStore
from reconciler.store.retries import RetryStore
from reconciler.store.revisions import RevisionStore
from reconciler.store.sightings import SightingStore
from reconciler.store.standings import StandingStore
from reconciler.store.tickets import TicketStore

_DATABASE = "reconciler.sqlite"

REMEMBERED = ("repository", "branch", "root", "forge", "forge_url", "forge_project", "forge_token", "grants")
"""Settings that the daemon keeps for other commands: the repository, who knows of its reviews, and the grants."""

Clock = Callable[[], float]
"""Gives the time in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Site:
    """An installation's settings and stores, what loads of the desired state left, and the clock it goes by."""

    settings: Settings
    hosts: HostStore
    replacements: ReplacementStore
    machines: MachineStore
    managed: ManagedStore
    attempts: AttemptStore
    retries: RetryStore
    revisions: RevisionStore
    approvals: ApprovalStore
    sightings: SightingStore
    holds: HoldStore
    standings: StandingStore
    outbox: OutboxStore
    audit: AuditStore
    tickets: TicketStore
    accounts: AccountStore
    pushes: PushStore
    changes: ChangeStore
    artifacts: ArtifactStore
    logs: AttemptLogs
    loads: LoadCache
    clock: Clock = time.time


def has_installation(settings: Settings) -> bool:
    """Return whether there is an installation where the settings say; opening a site would make one."""
    return (settings.data / _DATABASE).exists()


@contextmanager
def open_site(settings: Settings) -> Iterator[Site]:
    """Open an installation, making its folder and database where they are missing.

    As long as it is open, this process makes files for its own account alone. What a command writes elsewhere is
    written under `reconciler.store.data_folder.users_umask`.

    Raises:
        DataFolderUnsafe: the folder, or something at its top, belongs to another account or cannot be closed.
        StoreError: the database cannot be used.
    """
    make_data_folder(settings.data)
    with private_umask(), _opened(settings) as site:
        yield site


@contextmanager
def _opened(settings: Settings) -> Iterator[Site]:
    data = settings.data
    database = Database(data / _DATABASE)
    try:
        revisions = RevisionStore(database)
        yield Site(
            _remembering(settings, revisions),
            HostStore(database),
            ReplacementStore(database),
            MachineStore(database),
            ManagedStore(database),
            AttemptStore(database),
            RetryStore(database),
            revisions,
            ApprovalStore(database),
            SightingStore(database),
            HoldStore(database),
            StandingStore(database),
            OutboxStore(database),
            AuditStore(database),
            TicketStore(database),
            AccountStore(database),
            PushStore(database),
            ChangeStore(database),
            ArtifactStore(data / "artifacts"),
            AttemptLogs(data / "attempt-logs"),
            LoadCache(data / "desired-state.cache"),
        )
    finally:
        database.close()


def _remembering(settings: Settings, revisions: RevisionStore) -> Settings:
    """Take what was not set from what the daemon last followed, so that other commands need not be told."""
    remembered = {
        name: value
        for name in REMEMBERED
        if name not in settings.model_fields_set and (value := revisions.fact(name)) is not None
    }
    return settings.model_copy(update=remembered)
