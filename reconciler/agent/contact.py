"""Keeps in touch with the server: enrols, reports, checks in, hands over logs, and backs off while it is away.

Decides nothing about packages, and whatever the server answers never ends the agent.
"""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass, replace
from pathlib import Path

from reconciler.agent.clock import ServerClock
from reconciler.agent.connection import ServerUnavailable
from reconciler.agent.journal import Journal
from reconciler.agent.run_identity import RunIdentity
from reconciler.agent.settings import Settings, forget_token
from reconciler.agent.sign_of_life import give_sign_of_life
from reconciler.agent.state import AgentState
from reconciler.agent.transport import Caller, Server, ServerBusy, ServerRefused
from reconciler.kernel.assignment import Assignment
from reconciler.kernel.attempts import Attempt
from reconciler.kernel.observation import Observation
from reconciler.kernel.protocol import CheckIn, EnrolRequest, Report, hash_key, report_digest
from reconciler.kernel.wire import WireError

LONGEST_BACKOFF = 300.0
"""Seconds between two tries to reach a server that is away, unless the poll interval is longer."""

ATTEMPTS_AT_ONCE = 100
"""Attempts in one report at most: what the server refuses of a longer one would be lost."""

_PERMANENT = (400, 413, 422)
"""Answers to a message that will never be taken, however often it is sent."""

_FORBIDDEN, _NOT_FOUND = 403, 404
_BACKOFF_POLLS = 8
_JITTER = 0.1
_LONGEST_START_DELAY = 5.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Findings:
    """What there is to tell: a look at the machine, and the attempts that had ended before it, unconfirmed so far.

    They belong together: an attempt's success told with an older look would contradict itself.
    """

    observation: Observation
    ended: tuple[Attempt, ...] = ()


class Contact:
    """One host's contact with its server. For one thread.

    Args:
        settings: where the server is, and who this host is.
        data: the agent's data folder.
        state: the key, the assignment, and what the server has confirmed.
        journal: the attempts to report.
        clock: told the server's time.
    """

    def __init__(
        self, settings: Settings, data: Path, state: AgentState, journal: Journal, clock: ServerClock
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._data = data
        self._state = state
        self._journal = journal
        self._token = settings.token
        self._logs = data / "logs" / "attempts"
        self._identity = RunIdentity(state)
        self._reports_after = 0.0
        self._logs_after = 0.0
        self._trouble = ""
        self._notice = ""
        self._server: Server | None = None
        self._failures = 0
        self._sign_given = False
        start_delay = min(_LONGEST_START_DELAY, settings.poll_seconds / 4)
        self.due_at = time.monotonic() + random.uniform(0, start_delay)  # noqa: S311 - spreads load, guards nothing
        """When the next exchange is due, on the monotonic clock."""

    def files(self) -> Server:
        """Return the server on a connection of its own, for the fetching of files."""
        return self._server_for(self._state.key())

    def know_machine(self, machine_id: str) -> None:
        """Take over what the machine calls itself."""
        self._identity.know_machine(machine_id)

    def hasten(self) -> None:
        """There is something to tell: make the next exchange due now, unless the server is away."""
        if not self._failures:
            self.due_at = min(self.due_at, time.monotonic())

    def has_news(self, findings: Findings) -> bool:
        """Return whether the server has not confirmed something in ``findings``, and may be told now."""
        if time.monotonic() < self._reports_after:
            return False
        digest = report_digest(findings.observation, self._assignment_digest())
        return bool(self._untold(findings)) or digest != self._state.remembered.confirmed_report

    def exchange(self, findings: Findings, busy: str | None) -> None:
        """Tell the server what it lacks, and take what it has.

        Args:
            findings: what there is to tell.
            busy: the package that a step is running for.
        """
        wait = 0.0
        try:
            self._exchange(findings, busy)
        except (ServerUnavailable, ServerRefused, WireError) as error:
            self._failures += 1
            new = str(error) != self._trouble
            self._trouble = str(error)
            _log.log(logging.WARNING if new else logging.DEBUG, "no contact with the server: %s", error)
            if isinstance(error, ServerBusy):
                wait = error.wait
        else:
            if self._failures:
                _log.info("in contact with the server again")
            self._failures, self._trouble = 0, ""
            if not self._sign_given:
                give_sign_of_life(self._data)
                self._sign_given = True
        spread = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads load, guards nothing
        self.due_at = time.monotonic() + max(self._interval() * spread, wait)

    def close(self) -> None:
        """Close the connection."""
        if self._server is not None:
            self._server.close()

    def _interval(self) -> float:
        poll = self._settings.poll_seconds
        if self._state.remembered.assignment is None and not self._failures:
            poll = min(poll, _LONGEST_START_DELAY)
        longest = max(poll, min(poll * _BACKOFF_POLLS, LONGEST_BACKOFF))
        return min(poll * 2.0 ** max(min(self._failures, 16) - 1, 0), longest)

    def _exchange(self, findings: Findings, busy: str | None) -> None:
        if self._server is None or self._token is not None:
            self._server = self._enrol()
        server = self._server
        if self.has_news(findings):
            self._report_if_taken(server, findings)
        answer = server.check_in(
            CheckIn(
                report=report_digest(findings.observation, self._assignment_digest()),
                assignment=self._assignment_digest(),
                busy=busy,
                sequence=self._identity.count_check_in(),
            )
        )
        if answer.renew:
            _log.warning("the server knows later check-ins of this agent: was the machine put back to a snapshot?")
            self._identity.renew()
        if answer.notice and answer.notice != self._notice:
            self._notice = answer.notice
            _log.warning("the server: %s", answer.notice)
        if answer.send_report and time.monotonic() >= self._reports_after:
            self._report_if_taken(server, findings)
        if answer.assignment is not None:
            self._take(answer.assignment, answer.assignment_digest)
        elif time.monotonic() >= self._logs_after:
            self._hand_over_logs(server)

    def _enrol(self) -> Server:
        """Enrol where there is a token to do it with; return the server as the enrolled host sees it."""
        settings = self._settings
        key = self._state.ensure_key()
        if self._token is not None:
            asking = self._server_for(None)
            try:
                asking.enrol(EnrolRequest(settings.host, self._token, hash_key(key)))
            finally:
                asking.close()
            _log.info("enrolled at %s as %s", settings.server, settings.host)
            forget_token(self._data)
            self._token = None
        return self._server_for(key)

    def _server_for(self, key: str | None) -> Server:
        settings = self._settings
        caller = Caller(settings.host, key, self._identity.header)
        return Server(settings.server, settings.ca, caller, settings.proxy, self._clock.heard)

    def _report_if_taken(self, server: Server, findings: Findings) -> None:
        """Report; where the server does not take that now, go on without: the check-in matters as well."""
        try:
            self._report(server, findings)
        except ServerBusy as error:
            self._reports_after = time.monotonic() + error.wait
            _log.warning("the report waits for %.0f s: %s", error.wait, error)
        except ServerRefused as error:
            if error.status not in (*_PERMANENT, _FORBIDDEN):
                raise
            self._reports_after = time.monotonic() + self._interval()
            _log.error("the server does not take the report: %s", error)

    def _report(self, server: Server, findings: Findings) -> None:
        digest = self._assignment_digest()
        going = self._journal.open_attempt
        running = (going.attempt,) if going is not None else ()
        own = report_digest(findings.observation, digest)
        untold = self._untold(findings)
        for first in range(0, max(len(untold), 1), ATTEMPTS_AT_ONCE):
            told = untold[first : first + ATTEMPTS_AT_ONCE]
            self._deliver(server, Report(findings.observation, digest, (*told, *running), own))
            self._journal.confirm(tuple(attempt.id for attempt in told))
        self._state.keep_confirmed_report(own)

    def _deliver(self, server: Server, report: Report) -> None:
        """Send a report. Of one that is refused permanently, find the attempts to blame, and send the others."""
        try:
            notes = server.report(report)
        except ServerRefused as error:
            if error.status not in _PERMANENT or not report.attempts:
                raise
            server.report(replace(report, attempts=()))
            if len(report.attempts) == 1:
                _log.error(
                    "the server refused this attempt permanently: %s; dropped: %r", error, report.attempts[0]
                )
                return
            middle = len(report.attempts) // 2
            for part in (report.attempts[:middle], report.attempts[middle:]):
                self._deliver(server, replace(report, attempts=part))
        else:
            for note in notes:
                _log.warning("the server changed or left out a part of the report: %s", note)

    def _untold(self, findings: Findings) -> tuple[Attempt, ...]:
        """Of what had ended at the last look, return what is not confirmed yet: a step lets no new look come."""
        unconfirmed = {attempt.id for attempt in self._journal.unconfirmed}
        return tuple(attempt for attempt in findings.ended if attempt.id in unconfirmed)

    def _take(self, assignment: Assignment, digest: str) -> None:
        if not digest:
            raise WireError("the server sent an assignment without its digest", where=self._settings.server)
        if assignment.host.upper() != self._settings.host.upper():
            raise WireError(f"the server sent the assignment of {assignment.host!r}", where=self._settings.server)
        _log.info("assignment at revision %s: %d packages", assignment.revision, len(assignment.goals))
        self._state.keep_assignment(assignment, digest)

    def _hand_over_logs(self, server: Server) -> None:
        going = self._journal.open_attempt
        waiting = {attempt.id for attempt in self._journal.unconfirmed} | ({going.attempt.id} if going else set())
        for log in sorted(self._logs.glob("*.log")):
            if log.stem in waiting:
                continue
            try:
                server.keep_log(log.stem, log.read_bytes())
            except ServerBusy as error:
                self._logs_after = time.monotonic() + error.wait
                return
            except ServerRefused as error:
                if error.status not in (*_PERMANENT, _NOT_FOUND):
                    raise
                _log.warning("the server refused the log of attempt %s permanently: %s", log.stem, error)
            log.unlink()

    def _assignment_digest(self) -> str:
        return self._state.remembered.assignment_digest
