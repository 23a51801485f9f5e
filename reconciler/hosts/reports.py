"""Keeps what hosts report, from an agent or by WinRM: on record first, then in memory."""

from __future__ import annotations

import structlog

from reconciler.hosts.roster import Member
from reconciler.kernel.screening import Screened
from reconciler.store.attempts import AttemptStore
from reconciler.store.hosts import HostStore

_log = structlog.get_logger("reconciler.reports")


class Reports:
    """Takes in reports of agents and of hosts that the server looked at itself."""

    def __init__(self, hosts: HostStore, attempts: AttemptStore) -> None:
        self._hosts = hosts
        self._attempts = attempts

    def keep(self, member: Member, report: Screened, now: float) -> None:
        """Keep a report. The same one twice counts once.

        Args:
            member: whose it is.
            report: what can be kept of what it says; without an observation, the last one stays.
            now: seconds since the epoch.
        """
        if report.notes:
            _log.warning("abnormal values in a report", host=member.name, notes=report.notes)
        self._attempts.record(member.name, report.attempts, now)
        if report.observation is not None:
            self._hosts.record_report(member.name, report.observation, report.digest, report.assignment, now)
        member.report = report.digest
        member.last_seen = now
