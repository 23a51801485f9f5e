"""Serves agents and runs the engine beside, in one process, until it is told to end."""

from __future__ import annotations

import asyncio
import datetime
import signal
from collections.abc import Callable
from pathlib import Path

import structlog
from starlette.types import ASGIApp

from reconciler.daemon.anchoring import Anchoring
from reconciler.daemon.clerk import Clerk
from reconciler.daemon.connections.open_files import OpenFiles, raise_open_files
from reconciler.daemon.connections.serving import HttpServer, deadlines_of
from reconciler.daemon.courier import WORKERS, Courier
from reconciler.daemon.git_server import GIT, GitServer
from reconciler.daemon.keeper import Keeper
from reconciler.daemon.ownership import listen_on, take_installation
from reconciler.daemon.pushing import Pusher
from reconciler.daemon.resources import Resources
from reconciler.daemon.review_api import CHANGES, ReviewApi
from reconciler.daemon.routes import ByPrefix
from reconciler.daemon.sign_in import SignIn
from reconciler.daemon.webhooks import WEBHOOKS, Webhooks
from reconciler.engine.queue import KeyedQueue
from reconciler.engine.runner import Runner
from reconciler.engine.watchers import RepositoryWatcher
from reconciler.hosts.downloads import Downloads
from reconciler.hosts.inbox import Inbox, Records
from reconciler.hosts.tickets import Tickets
from reconciler.hosts.tls import server_context, server_identity
from reconciler.hosts.winrm.files import FileServer
from reconciler.kernel.errors import ReconcilerError
from reconciler.operations.desired import hosted_repository, hosts_repository, repository_address
from reconciler.operations.forges import webhook_secret
from reconciler.operations.review import open_review
from reconciler.operations.reviews import forge_of
from reconciler.review.caps import AccountCaps
from reconciler.settings import Settings
from reconciler.site import REMEMBERED, Site
from reconciler.store.data_folder import protect
from reconciler.store.shortages import shortage_of

_log = structlog.get_logger("reconciler.daemon")


class Daemon:
    """One running server. This is where its parts are put together."""

    def __init__(self, site: Site) -> None:
        """Prepare to serve an installation.

        Raises:
            AlreadyRunning: another daemon runs on it.
            DataFolderUnsafe: something in the data folder belongs to another account, or cannot be closed.
            ForgeMisconfigured, CredentialMissing: the settings name a forge, and not all that is needed to ask it.
            BadWitness, CheckpointKeyUnusable: a witness of the audit chain, or the key for it, cannot be used.
            NothingInForce: no repository is known.
            RepositoryError: the mirror cannot be opened.
        """
        self._site = site
        self._address = repository_address(site)
        self._lock = take_installation(site.settings.data)
        protect(site.settings.data, deep=True)
        _demand_one_repository(site.settings)
        # Before the first look at the repository: there may be none yet.
        self._review = open_review(site) if hosts_repository(site.settings) else None
        self._sign_in = SignIn(site.accounts, site.clock)
        for name in REMEMBERED:
            site.revisions.set_fact(name, getattr(site.settings, name))
        site.revisions.set_fact("repository", self._address)
        if site.settings.grants:
            site.revisions.set_fact("grants", str(Path(site.settings.grants).absolute()))
        self._keeper = Keeper(site)
        self._anchoring = Anchoring(site)
        forge = forge_of(site)
        self._clerk = Clerk(site, forge) if forge is not None else None
        self._courier = Courier(site, self._keeper, self._clerk.requests if self._clerk is not None else tuple)
        self._tickets = Tickets(site.tickets)
        authority = site.settings.data / "tls" / "ca.pem"
        files = FileServer(lambda: site.revisions.fact("url") or "", authority, self._tickets)
        self._pusher = Pusher(site, self._keeper.roster, self._keeper.looked_at, files)

    async def run(self, ready: Callable[[str], None]) -> None:
        """Serve until a signal ends the process or the task is cancelled.

        Args:
            ready: called once with the server's URL, when agents can connect.

        Raises:
            OSError: the address cannot be listened on.
            Exception: whatever a part of it broke down with; the others have been ended in order.
        """
        settings = self._site.settings
        files = raise_open_files()
        server, port = self._server(files)
        started = asyncio.Event()
        watcher = self._watch()
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        stopping = asyncio.create_task(stop.wait())
        engines = {asyncio.create_task(runner.run()) for runner in self._runners()}
        resources = Resources(self._site, files.limit)
        beside = (
            asyncio.create_task(self._sign_in.keep_flushing()),
            asyncio.create_task(resources.keep_looking(lambda: server.doorkeeper.short_of_files)),
        )
        serving = asyncio.create_task(server.run(started))
        starting = asyncio.create_task(started.wait())
        try:
            await asyncio.wait({serving, starting}, return_when=asyncio.FIRST_COMPLETED)
            if started.is_set():
                url = f"https://{settings.server_names[0]}:{port}"
                self._site.revisions.set_fact("url", url)
                self._pusher.start()
                ready(url)
            await asyncio.wait({*engines, serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await asyncio.to_thread(self._pusher.stop)
            server.stop()
            starting.cancel()
            served = await asyncio.gather(serving, return_exceptions=True)
            stopping.cancel()
            if watcher is not None:
                watcher.stop()
            for task in (*engines, *beside):
                task.cancel()
            ran = await asyncio.gather(*engines, *beside, return_exceptions=True)
            await self._flush()
            self._lock.close()
        for ended in (*served, *ran):
            if isinstance(ended, Exception):  # one of them broke down, and the others were ended for that
                raise ended

    async def _flush(self) -> None:
        """Write what is only in memory. On a full disk that fails, and the end is in order all the same."""
        try:
            self._keeper.flush()
            await self._sign_in.flush()
        except Exception as error:
            if (shortage := shortage_of(error)) is None:
                raise
            _log.error("cannot write who was seen last", shortage=shortage)

    def _runners(self) -> list[Runner]:
        """Return the engines, each with a queue of its own, so that none waits for what another waits for."""
        queue, post, changes = KeyedQueue(), KeyedQueue(), KeyedQueue()
        self._keeper.begin(queue, self._pusher.follow)
        self._courier.begin(post)
        runners = [Runner(self._keeper.registry(), queue), Runner(self._courier.registry(), post, WORKERS)]
        runners.append(Runner(self._anchoring.registry(), KeyedQueue(), workers=1))
        if self._clerk is not None:
            self._clerk.begin(changes)
            runners.append(Runner(self._clerk.registry(), changes, workers=1))
        return runners

    def _server(self, files: OpenFiles) -> tuple[HttpServer, int]:
        """Return what serves agents, and the port that it listens on.

        Raises:
            OSError: the address cannot be listened on.
        """
        settings = self._site.settings
        if short := files.shortfall(settings, len(self._keeper.roster)):
            _log.warning("too few open files for the fleet", why=short)
        now = datetime.datetime.now(datetime.UTC)
        tls = server_context(server_identity(settings.data / "tls", settings.server_names, now))
        listener = listen_on(settings.address, settings.port)
        server = HttpServer(
            self._application(),
            listener,
            tls,
            files.caps(settings),
            deadlines_of(settings),
            settings.trusted_proxies,
        )
        return server, listener.getsockname()[1]

    def _application(self) -> ASGIApp:
        """Return what answers requests, by how their paths begin."""
        site = self._site
        records = Records(site.hosts, site.replacements, site.machines, site.attempts, site.artifacts, site.logs)
        inbox = Inbox(self._keeper.roster, records, self._keeper)
        applications: dict[str, ASGIApp] = {}
        if self._review is not None:
            applications[f"{GIT}/"] = GitServer(self._review, self._sign_in, site.settings, self._caps())
            applications[CHANGES] = ReviewApi(site, self._review, self._sign_in)
        if site.settings.forge:
            applications[WEBHOOKS] = Webhooks(
                site.settings.forge, site.settings.forge_project, webhook_secret(site.settings), self._changed
            )
        return ByPrefix(applications, Downloads(site.artifacts, self._tickets, inbox))

    def _caps(self) -> AccountCaps:
        """Return how much one account may have in the hosted repository."""
        assert self._review is not None
        settings, site = self._site.settings, self._site
        most = settings.branches_per_account, settings.changes_per_account
        return AccountCaps(self._review.repository, site.pushes, site.changes, *most)

    def _changed(self) -> None:
        """Have the repository and its open changes looked at: somebody says that something happened."""
        self._keeper.repository_changed()
        if self._clerk is not None:
            self._clerk.look()

    def _watch(self) -> RepositoryWatcher | None:
        folder = _git_directory(Path(self._address))
        if folder is None:
            return None
        watcher = RepositoryWatcher(folder, self._changed)
        watcher.start()
        return watcher


def _demand_one_repository(settings: Settings) -> None:
    named = "repository" in settings.model_fields_set and settings.repository
    if settings.host_repository and named and Path(named).resolve() != hosted_repository(settings):
        raise ReconcilerError(
            "the daemon is to hold the repository itself, and to follow another",
            where=named,
            hint="give --host-repository or --repository; to take over what is there, push it to the daemon",
        )


def _git_directory(path: Path) -> Path | None:
    """Return where the refs of a local repository lie; ``None`` for a remote one."""
    for folder in (path / ".git", path):
        if (folder / "refs").is_dir():
            return folder
    return None
