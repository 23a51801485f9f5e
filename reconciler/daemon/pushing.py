"""Keeps the hosts that are reached by WinRM: a cycle for each when it is due, so many at the same time at most."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import structlog
from winrm.protocol import Protocol

from reconciler.agent.installer import Stopping
from reconciler.desired.model import DesiredState, Host
from reconciler.grants.loading import load_grants
from reconciler.hosts.reports import Reports
from reconciler.hosts.roster import Roster
from reconciler.hosts.winrm.commands import Commands, HostAway
from reconciler.hosts.winrm.connection import Connection
from reconciler.hosts.winrm.endpoints import Endpoints
from reconciler.hosts.winrm.files import FileServer, WinRMFiles
from reconciler.hosts.winrm.machine import WinRMMachine
from reconciler.hosts.winrm.opening import open_protocol
from reconciler.hosts.winrm.pushed_host import PushedHost
from reconciler.hosts.winrm.target import Target, address_of, system_resolver, target_of
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.protocol import Report
from reconciler.kernel.screening import screen_report
from reconciler.kernel.wire import encode
from reconciler.site import Site

_LONGEST_BACKOFF = 300.0
_END_SECONDS = 5.0
_log = structlog.get_logger("reconciler.pusher")


@dataclass(slots=True)
class _Kept:
    """One host: its file, what it was last worked on from, and when it is due, on the monotonic clock."""

    file: Host
    due_at: float
    worked_from: str = ""
    failures: int = 0
    trouble: str | None = None
    opened: _Opened | None = None


@dataclass(frozen=True, slots=True)
class _Opened:
    """A host with the connection that it is worked on by, and the target that this leads to."""

    target: Target
    connection: Connection
    host: PushedHost


class Pusher:
    """The pushed hosts of one daemon.

    Args:
        site: the installation.
        roster: who should have what.
        looked_at: told, from threads, of a host whose standing may be another now.
        files: where hosts fetch their files.
    """

    def __init__(self, site: Site, roster: Roster, looked_at: Callable[[str], None], files: FileServer) -> None:
        self._site = site
        self._roster = roster
        self._looked_at = looked_at
        self._files = files
        self._reports = Reports(site.hosts, site.attempts)
        self._hosts: dict[str, _Kept] = {}
        self._endpoints = Endpoints()
        self._going: set[str] = set()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._workers = [
            threading.Thread(target=self._work, name=f"push-{number}", daemon=True)
            for number in range(site.settings.push_concurrency)
        ]

    def start(self) -> None:
        """Begin."""
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """End soon. What runs on hosts goes on there, and the next start picks it up."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        deadline = time.monotonic() + _END_SECONDS
        for worker in self._workers:
            if worker.ident is None:
                continue  # never started: the daemon broke down before
            worker.join(max(deadline - time.monotonic(), 0))

    def follow(self, desired: DesiredState) -> None:
        """Keep the hosts that ``desired`` has reached by WinRM, and no others; what is new to do is due now."""
        now = time.monotonic()
        with self._changed:
            wanted = set()
            for host in desired.hosts.values():
                if host.winrm is None:
                    continue
                name = host.name.upper()
                wanted.add(name)
                kept = self._hosts.get(name)
                if kept is None:
                    self._hosts[name] = _Kept(host, now)
                elif _reached_otherwise(kept.file, host) or kept.worked_from != self._assigned(name):
                    kept.file, kept.due_at = host, now
            gone = {name: self._hosts.pop(name) for name in self._hosts.keys() - wanted}
            for name in gone:
                self._endpoints.release(name)
            opened = [kept.opened for name, kept in gone.items() if kept.opened and name not in self._going]
            self._changed.notify_all()
        if opened:
            threading.Thread(target=_close, args=(opened,), name="push-close", daemon=True).start()

    def _work(self) -> None:
        while not self._stopping.is_set():
            taken = self._take()
            if taken is None:
                continue
            name, kept = taken
            again_at = time.monotonic() + self._site.settings.push_seconds
            try:
                again_at = self._cycle(name, kept)
            except Exception:
                _log.exception("a cycle broke off; there is another one in a while", host=name)
            finally:
                self._give_back(name, kept, again_at)

    def _take(self) -> tuple[str, _Kept] | None:
        """Wait for a host that is due, and take it; nobody else works on it meanwhile."""
        with self._changed:
            waiting = [(kept.due_at, name) for name, kept in self._hosts.items() if name not in self._going]
            due_at, name = min(waiting, default=(None, ""))
            now = time.monotonic()
            if due_at is None or due_at > now:
                self._changed.wait(None if due_at is None else due_at - now)
                return None
            self._going.add(name)
            return name, self._hosts[name]

    def _give_back(self, name: str, kept: _Kept, again_at: float) -> None:
        with self._changed:
            self._going.discard(name)
            kept.due_at = again_at
            if kept.worked_from != self._assigned(name) and not kept.failures:
                kept.due_at = time.monotonic()  # something new came meanwhile
            gone = self._hosts.get(name) is not kept
            self._changed.notify()
        if gone and kept.opened is not None:
            kept.opened.connection.close()

    def _cycle(self, name: str, kept: _Kept) -> float:
        """Work on one host; return when it is due again, on the monotonic clock."""
        member = self._roster.find(name)
        every = self._site.settings.push_seconds
        if member is None:
            return time.monotonic() + every
        kept.worked_from = member.assigned
        try:
            again = self._opened(name, kept).host.cycle(member.assignment, member.assigned)
        except (Stopping, ReconcilerError) as error:
            if self._stopping.is_set() and not isinstance(error, HostAway):
                return time.monotonic()
            kept.failures += 1
            self._note(name, kept, str(error))
            return time.monotonic() + min(every * 2.0 ** min(kept.failures - 1, 16), max(every, _LONGEST_BACKOFF))
        kept.failures = 0
        self._note(name, kept, "")
        wait = every if again is None else min(max(again - time.time(), 0), every)
        return time.monotonic() + wait

    def _opened(self, name: str, kept: _Kept) -> _Opened:
        """Return the host as it is reached now, by what the server grants now.

        Raises:
            NotGranted, UnsafeTransport, GrantsUnusable: it may not be reached.
        """
        settings = self._site.settings
        try:
            target = target_of(kept.file, load_grants(settings.grants, settings.data))
            self._endpoints.demand(name)
        except ReconcilerError:
            self._close_kept(name, kept)
            raise
        if kept.opened is not None:
            if kept.opened.target == target:
                return kept.opened
            self._close_kept(name, kept)
        ledger = _Ledger(
            self._site, self._roster, self._reports, name, self._looked_at, partial(self._stands, name)
        )
        connection = Connection(name, partial(self._open, name, target), ledger.answered)
        commands = Commands(name, connection)
        folder = settings.data / "pushed" / name
        machine, files = WinRMMachine(commands), WinRMFiles(commands, self._files)
        kept.opened = _Opened(target, connection, PushedHost(folder, machine, files, ledger, self._stopping))
        return kept.opened

    def _open(self, name: str, target: Target) -> Protocol:
        """Return a protocol that connects to the address that was checked, unless another host has it."""
        address = address_of(target, system_resolver)
        self._endpoints.claim(name, (address, target.port), self._enrolled_at(name))
        return open_protocol(target, address, self._site.settings.data)

    def _close_kept(self, name: str, kept: _Kept) -> None:
        if kept.opened is not None:
            kept.opened.connection.close()
            kept.opened = None
        self._endpoints.release(name)

    def _enrolled_at(self, name: str) -> float:
        record = self._site.hosts.find(name)
        return record.enrolled_at if record is not None else float("inf")

    def _stands(self, name: str, digest: str) -> bool:
        with self._changed:
            return name in self._hosts and self._assigned(name) == digest

    def _note(self, name: str, kept: _Kept, trouble: str) -> None:
        if trouble == kept.trouble:
            return
        kept.trouble = trouble
        self._told(name, trouble)

    def _told(self, name: str, trouble: str) -> None:
        """Keep why a host cannot be worked on; empty where it can."""
        if trouble:
            _log.warning("a host cannot be reached", host=name, why=trouble)
        self._site.hosts.record_trouble(name, trouble)
        self._looked_at(name)

    def _assigned(self, name: str) -> str:
        member = self._roster.find(name)
        return member.assigned if member is not None else ""


def _reached_otherwise(before: Host, now: Host) -> bool:
    return (before.environment, before.address, before.winrm) != (now.environment, now.address, now.winrm)


def _close(opened: list[_Opened]) -> None:
    """Close the shells of hosts that are pushed no longer. It may take its time, so nobody waits for it."""
    for one in opened:
        one.connection.close()


class _Ledger:
    """Where it is kept what became of one host. Implements `reconciler.hosts.winrm.pushed_host.Ledger`."""

    def __init__(
        self,
        site: Site,
        roster: Roster,
        reports: Reports,
        name: str,
        looked_at: Callable[[str], None],
        stands: Callable[[str], bool],
    ) -> None:
        self.stands = stands
        self._site = site
        self._roster = roster
        self._reports = reports
        self._name = name
        self._looked_at = looked_at
        self._package: str | None = None

    def busy(self, package: str | None) -> None:
        self._package = package
        self.answered()
        if package is not None:
            self._looked_at(self._name)  # else the report that comes next tells of more

    def answered(self) -> None:
        """The host has answered something: it lives."""
        member = self._roster.find(self._name)
        if member is None:
            return
        self._roster.saw(member, self._package, self._site.clock())
        if member.silent:
            member.silent = False
            self._looked_at(self._name)

    def keep(self, report: Report) -> None:
        member = self._roster.find(self._name)
        if member is not None:
            now = self._site.clock()
            self._reports.keep(member, screen_report(encode(report), now), now)
            self._looked_at(self._name)

    def keep_log(self, attempt: str, content: bytes) -> None:
        with suppress(OSError):
            self._site.logs.keep(attempt, content)
