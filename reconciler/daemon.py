"""The daemon: wires the engine, the agents' inbox and the operations together, and runs them in one process.

This is the one composition root of the server. Everything else takes what it needs as arguments.
"""

from __future__ import annotations

import asyncio
import datetime
import fcntl
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

import structlog
import uvicorn

from reconciler.desired.mirror import FetchError
from reconciler.desired.model import DesiredState
from reconciler.desired.repository import GitRepository, RepositoryError
from reconciler.engine.handlers import Cause, Key, PermanentError, Registry, TemporaryError
from reconciler.engine.queue import KeyedQueue
from reconciler.engine.runner import Runner
from reconciler.engine.watchers import RepositoryWatcher
from reconciler.hosts.inbox import Inbox
from reconciler.hosts.roster import Roster
from reconciler.hosts.tls import server_identity
from reconciler.kernel.errors import ReconcilerError
from reconciler.operations.desired import mirror_of, repository_address, state_at
from reconciler.operations.fleet import assign_all, known_host
from reconciler.operations.follow import follow
from reconciler.operations.standing import record_standing
from reconciler.site import Site
from reconciler.store.revisions import Verdict

FLUSH_SECONDS = 1.0
"""Seconds between writes of who was seen when."""

SILENCE_SECONDS = 5.0
"""Seconds between looks for hosts that have fallen silent."""

KEEP_ALIVE_SECONDS = 240
"""Seconds that an idle agent's connection is kept: longer than a poll interval, as a new one costs far more."""

_log = structlog.get_logger("reconciler.daemon")


class AlreadyRunning(ReconcilerError):
    """Another daemon runs on the same installation."""

    reference = "already-running"


class Daemon:
    """One running server: what it holds in memory, and the handlers that keep it true."""

    def __init__(self, site: Site) -> None:
        """Prepare to serve an installation.

        Raises:
            AlreadyRunning: another daemon runs on it.
            NothingInForce: no repository is known.
            RepositoryError: the mirror cannot be opened.
        """
        self._site = site
        self._address = repository_address(site)
        site.revisions.set_fact("repository", self._address)
        site.revisions.set_fact("branch", site.settings.branch)
        site.revisions.set_fact("root", site.settings.root)
        self._mirror = mirror_of(site)
        self._lock = _only_one(site.settings.data)
        self._roster = Roster(site.hosts.all())
        self._desired = self._last_in_force(self._mirror)
        if self._desired is not None:
            assign_all(site, self._roster, self._desired)
        self.registry = Registry()
        self.registry.on_revision(self._on_revision)
        self.registry.on_assignment(self._on_assignment)
        self.registry.on_report(self._on_host)
        self.registry.on_silence(self._on_host)
        self.registry.on_timer("repository", site.settings.fetch_seconds)(self._on_repository_due)
        self.registry.on_timer("seen", FLUSH_SECONDS)(self._on_flush)
        self.registry.on_timer("silence", SILENCE_SECONDS)(self._on_silence_check)
        self._queue: KeyedQueue | None = None
        self._assigning = threading.Lock()

    async def run(self, ready: Callable[[str], None]) -> None:
        """Serve until a signal ends the process or the task is cancelled.

        Args:
            ready: called once with the server's URL, when agents can connect.

        Raises:
            OSError: the address cannot be listened on.
        """
        self._queue = KeyedQueue()
        settings = self._site.settings
        listener = listen_on(settings.address, settings.port)
        port = listener.getsockname()[1]
        server = self._server()
        watcher = self._watch()
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        stopping = asyncio.create_task(stop.wait())
        runner = asyncio.create_task(Runner(self.registry, self._queue).run())
        serving = asyncio.create_task(server.serve([listener]))
        try:
            while not server.started and not serving.done():
                await asyncio.sleep(0.01)
            if server.started:
                url = f"https://{settings.server_names[0]}:{port}"
                self._site.revisions.set_fact("url", url)
                ready(url)
            await asyncio.wait({runner, serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            server.should_exit = True
            await serving
            stopping.cancel()
            if watcher is not None:
                watcher.stop()
            runner.cancel()
            await asyncio.gather(runner, return_exceptions=True)
            self._flush()

    # What the inbox tells of, and asks.

    def placement(self, host: str) -> str | None:
        """Return the environment that the desired state puts a host into, or ``None``."""
        named = self._desired.host(host) if self._desired is not None else None
        return named.environment if named is not None else None

    def reported(self, host: str) -> None:
        """Have the host's standing looked at."""
        self._hint(Key(Cause.REPORT, host))

    def enrolled(self, host: str) -> None:
        """Have a new host given its assignment, and its standing looked at."""
        self._hint(Key(Cause.ASSIGNMENT))
        self._hint(Key(Cause.REPORT, host))

    def spoke_again(self, host: str) -> None:
        """Have the standing of a host that was silent looked at."""
        self._hint(Key(Cause.SILENCE, host))

    # Handlers, run in threads. Each works from what is stored and observed, and may run at any time.

    def _on_repository_due(self, _key: Key) -> None:
        """Ask by the key that hints ask by: so only one look at the repository runs at a time."""
        self._hint_from_thread(Key(Cause.REVISION))

    def _on_revision(self, _key: Key) -> None:
        try:
            held = self._desired.revision if self._desired is not None else None
            followed = follow(self._site, self._mirror, held)
        except FetchError as error:
            self._site.revisions.set_fact("fetchTrouble", str(error))
            raise TemporaryError(
                error.what, delay=self._site.settings.fetch_seconds, where=error.where, hint=error.hint
            ) from error
        except RepositoryError as error:
            self._site.revisions.set_fact("fetchTrouble", str(error))
            raise PermanentError(error.what, where=error.where, hint=error.hint) from error
        self._site.revisions.set_fact("fetchTrouble", "")
        record = followed.record
        if record is not None and record.verdict is Verdict.INVALID:
            _log.error("revision does not validate", revision=followed.head, findings=len(record.findings))
        if followed.state is None:
            return
        _log.info("revision in force", revision=followed.state.revision)
        self._desired = followed.state
        self._on_assignment(Key(Cause.ASSIGNMENT))
        for member in self._roster.members():
            self._hint_from_thread(Key(Cause.REPORT, member.name))

    def _on_assignment(self, _key: Key) -> None:
        """Give every host what it should have. One at a time: what is counted must not change meanwhile."""
        with self._assigning:
            if self._desired is not None:
                assign_all(self._site, self._roster, self._desired)

    def _on_host(self, key: Key) -> None:
        member = self._roster.find(key.subject)
        record = self._site.hosts.find(key.subject)
        if member is None or record is None:
            return
        if any(goal.target is None for goal in member.goals):
            self._hint_from_thread(Key(Cause.ASSIGNMENT))
        for change in record_standing(self._site, known_host(member, record)):
            _log.info(
                "standing",
                host=change.host,
                package=change.package or "(host)",
                before=change.before,
                after=change.after,
                why=change.message,
            )

    def _on_flush(self, _key: Key) -> None:
        self._flush()

    def _on_silence_check(self, _key: Key) -> None:
        now = self._site.clock()
        for member in self._roster.members():
            silent = now - member.last_seen > self._site.settings.silent_seconds
            if silent != member.silent:
                member.silent = silent
                self._hint_from_thread(Key(Cause.SILENCE, member.name))

    def _flush(self) -> None:
        seen = self._roster.take_seen()
        if seen:
            self._site.hosts.record_seen(seen)

    def _hint(self, key: Key) -> None:
        if self._queue is not None:
            self._queue.add(key)

    def _hint_from_thread(self, key: Key) -> None:
        if self._queue is not None:
            self._queue.add_threadsafe(key)

    def _last_in_force(self, mirror: GitRepository) -> DesiredState | None:
        """Return the state in force; ``None`` where the mirror lacks it, until a fetch has brought it back."""
        commit = self._site.revisions.in_force()
        if commit is None:
            return None
        try:
            return state_at(self._site, mirror, commit)
        except RepositoryError as error:
            _log.warning("the mirror lacks the revision in force; it is fetched again", error=str(error))
            return None

    def _server(self) -> uvicorn.Server:
        settings = self._site.settings
        identity = server_identity(
            settings.data / "tls", settings.server_names, datetime.datetime.now(datetime.UTC)
        )
        site = self._site
        inbox = Inbox(self._roster, site.hosts, site.attempts, site.artifacts, site.logs, self)
        config = uvicorn.Config(
            inbox,
            ssl_certfile=str(identity.certificate),
            ssl_keyfile=str(identity.key),
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=2,
            access_log=False,
            log_level="warning",
            lifespan="off",
        )
        return uvicorn.Server(config)

    def _watch(self) -> RepositoryWatcher | None:
        folder = _git_directory(Path(self._address))
        if folder is None:
            return None
        watcher = RepositoryWatcher(folder, lambda: self._hint_from_thread(Key(Cause.REVISION)))
        watcher.start()
        return watcher


def _only_one(data: Path) -> IO[bytes]:
    """Take the installation for this process; the lock goes when the process does, however it ends."""
    lock = (data / "daemon.lock").open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise AlreadyRunning(
            "another daemon runs on this installation",
            where=str(data),
            hint="end it first, or give another --data",
        ) from error
    return lock


def _git_directory(path: Path) -> Path | None:
    """Return where the refs of a local repository lie; ``None`` for a remote one."""
    for folder in (path / ".git", path):
        if (folder / "refs").is_dir():
            return folder
    return None


def listen_on(address: str, port: int) -> socket.socket:
    """Return a socket bound to an address; port 0 takes any free one.

    Raises:
        OSError: it cannot be had.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # Named by its protocol, or asyncio leaves Nagle's algorithm on and each answer with a body waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
    except OSError:
        listener.close()
        raise
    return listener
