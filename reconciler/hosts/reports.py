"""Keeps what hosts say of themselves, whichever way it came: on record first, then in memory."""

from __future__ import annotations

from reconciler.hosts.roster import Member
from reconciler.kernel.protocol import Report
from reconciler.store.attempts import AttemptStore
from reconciler.store.hosts import HostStore


class Reports:
    """Takes in reports of agents and of hosts that the server looked at itself."""

    def __init__(self, hosts: HostStore, attempts: AttemptStore) -> None:
        self._hosts = hosts
        self._attempts = attempts

    def keep(self, member: Member, report: Report, now: float) -> None:
        """Keep a report. The same one twice counts once.

        Args:
            member: whose it is.
            report: what it says.
            now: seconds since the epoch.
        """
        self._attempts.record(member.name, report.attempts, now)
        self._hosts.record_report(member.name, report.observation, report.digest, report.assignment, now)
        member.report = report.digest
        member.last_seen = now
