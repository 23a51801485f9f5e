"""Keeps in touch with the server: enrols, reports, checks in, hands over logs, and backs off while it is away.

Decides nothing about packages, and whatever the server answers never ends the agent.
"""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass
from pathlib import Path

from reconciler.agent.clock import ServerClock
from reconciler.agent.connection import ServerUnavailable
from reconciler.agent.journal import Journal
from reconciler.agent.settings import Settings, forget_token
from reconciler.agent.sign_of_life import give_sign_of_life
from reconciler.agent.state import AgentState
from reconciler.agent.transport import Server, ServerRefused
from reconciler.kernel.assignment import Assignment
from reconciler.kernel.attempts import Attempt
from reconciler.kernel.observation import Observation
from reconciler.kernel.protocol import CheckIn, EnrolRequest, Report, hash_key, report_digest
from reconciler.kernel.wire import WireError

LONGEST_BACKOFF = 300.0
"""Seconds between two tries to reach a server that is away, unless the poll interval is longer."""

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
        self._server: Server | None = None
        self._failures = 0
        self._sign_given = False
        start_delay = min(_LONGEST_START_DELAY, settings.poll_seconds / 4)
        self.due_at = time.monotonic() + random.uniform(0, start_delay)  # noqa: S311 - spreads load, guards nothing
        """When the next exchange is due, on the monotonic clock."""

    def files(self) -> Server:
        """Return the server on a connection of its own, for the fetching of files."""
        return self._server_for(self._state.key())

    def hasten(self) -> None:
        """There is something to tell: make the next exchange due now, unless the server is away."""
        if not self._failures:
            self.due_at = min(self.due_at, time.monotonic())

    def has_news(self, findings: Findings) -> bool:
        """Return whether there is something in ``findings`` that the server has not confirmed."""
        digest = report_digest(findings.observation, self._assignment_digest())
        return bool(self._untold(findings)) or digest != self._state.remembered.confirmed_report

    def exchange(self, findings: Findings, busy: str | None) -> None:
        """Tell the server what it lacks, and take what it has.

        Args:
            findings: what there is to tell.
            busy: the package that a step is running for.
        """
        try:
            self._exchange(findings, busy)
        except (ServerUnavailable, ServerRefused, WireError) as error:
            self._failures += 1
            _log.log(
                logging.WARNING if self._failures == 1 else logging.DEBUG, "no contact with the server: %s", error
            )
        else:
            if self._failures:
                _log.info("in contact with the server again")
            self._failures = 0
            if not self._sign_given:
                give_sign_of_life(self._data)
                self._sign_given = True
        spread = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads load, guards nothing
        self.due_at = time.monotonic() + self._interval() * spread

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
            self._report(server, findings)
        answer = server.check_in(
            CheckIn(
                report=report_digest(findings.observation, self._assignment_digest()),
                assignment=self._assignment_digest(),
                busy=busy,
            )
        )
        if answer.send_report:
            self._report(server, findings)
        if answer.assignment is not None:
            self._take(answer.assignment, answer.assignment_digest)
        else:
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
        return Server(settings.server, settings.ca, settings.host, key, settings.proxy, self._clock.heard)

    def _report(self, server: Server, findings: Findings) -> None:
        digest = self._assignment_digest()
        going = self._journal.open_attempt
        running = (going.attempt,) if going is not None else ()
        untold = self._untold(findings)
        own = report_digest(findings.observation, digest)
        server.report(Report(findings.observation, digest, (*untold, *running), own))
        self._journal.confirm(tuple(attempt.id for attempt in untold))
        self._state.keep_confirmed_report(own)

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
            except ServerRefused as error:
                _log.warning("the server does not want the log of attempt %s: %s", log.stem, error)
            log.unlink()

    def _assignment_digest(self) -> str:
        return self._state.remembered.assignment_digest
