"""Keeps one host by WinRM: look, decide through the kernel, one step by the shared stepper, look again, report.

What the agent does on its host, from here: the same convergence, stepper, journal and recovery, with the journal
in a folder of this server's. Level-triggered: a cycle starts from a look and from what is on disk.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Protocol

from reconciler.agent.installer import Installer
from reconciler.agent.journal import Journal
from reconciler.agent.machine import Files, Look, Machine
from reconciler.agent.observing import observe
from reconciler.agent.recovery import recover
from reconciler.agent.state import AgentState
from reconciler.agent.stepper import Stepper
from reconciler.kernel.assignment import Assignment
from reconciler.kernel.convergence import converge
from reconciler.kernel.observation import Observation
from reconciler.kernel.protocol import Report, report_digest
from reconciler.kernel.steps import Step


class Ledger(Protocol):
    """Where it is kept what became of one host. The same place as for hosts with an agent."""

    def stands(self, digest: str) -> bool:
        """Return whether the host is still to be worked on from here, for the assignment with this digest."""

    def busy(self, package: str | None) -> None:
        """A step runs for ``package``, or none does any longer."""

    def keep(self, report: Report) -> None:
        """Keep a report."""

    def keep_log(self, attempt: str, content: bytes) -> None:
        """Keep the log of a failed attempt."""


class PushedHost:
    """One host; for one thread at a time.

    Args:
        folder: where its journal and what is remembered of it lie.
        machine: the host.
        files: the artifacts there.
        ledger: where its reports go.
        stopping: set when the daemon is being stopped: a run goes on, and the next start picks it up.

    Raises:
        OSError: the folder cannot be read or written.
    """

    def __init__(
        self, folder: Path, machine: Machine, files: Files, ledger: Ledger, stopping: threading.Event
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._machine = machine
        self._ledger = ledger
        self._state = AgentState(folder)
        self._journal = Journal(folder / "journal.jsonl")
        self._logs = folder / "logs" / "attempts"
        self._installer = Installer(machine, self._journal, self._logs, stopping, self._state.keep_reboot_asked)
        self._stepper = Stepper(machine, files, self._journal, self._installer)

    def cycle(self, assignment: Assignment | None, digest: str) -> float | None:
        """Do what can be done now, one step at most, and report.

        Args:
            assignment: what the host should have; ``None`` where that is not known yet.
            digest: the digest of the assignment.

        Returns:
            when there is something to do again though nothing else happens, in seconds since the epoch.

        Raises:
            Stopping: the host cannot be reached (`HostAway`), or the daemon is being stopped. An attempt that is
                going on stays open in the journal.
            MachineError: the host cannot be looked at.
            OSError: the journal cannot be written.
        """
        self._recover()
        look, observation = self._look(assignment)
        self._report(observation, digest)
        if assignment is None:
            return None
        decision = converge(assignment, observation, time.time())
        if decision.step is None:
            return decision.look_again_at
        if not self._ledger.stands(digest):
            return time.time()  # a look takes its time: something else is wanted now, or an agent has taken over
        self._carry_out(assignment, decision.step, look)
        self._report(self._look(assignment)[1], digest)
        return time.time()

    def _recover(self) -> None:
        if (left := self._journal.open_attempt) is None:
            return
        self._ledger.busy(left.attempt.package)
        try:
            recover(self._journal, self._machine, self._installer, self._stepper)
        finally:
            self._ledger.busy(None)

    def _look(self, assignment: Assignment | None) -> tuple[Look, Observation]:
        look = self._machine.look(assignment.probes if assignment is not None else ())
        return look, observe(look, assignment, self._state, self._journal)

    def _carry_out(self, assignment: Assignment, step: Step, look: Look) -> None:
        goal = next(goal for goal in assignment.goals if goal.package == step.package)
        self._ledger.busy(step.package)
        try:
            self._stepper.carry_out(step, goal.fingerprint, assignment.revision, look)
        finally:
            self._ledger.busy(None)

    def _report(self, observation: Observation, digest: str) -> None:
        """Hand over what is new, then forget what is on record there."""
        ended = self._journal.unconfirmed
        own = report_digest(observation, digest)
        if ended or own != self._state.remembered.confirmed_report:
            self._ledger.keep(Report(observation, digest, ended, own))
            self._journal.confirm(tuple(attempt.id for attempt in ended))
            self._state.keep_confirmed_report(own)
        for log in sorted(self._logs.glob("*.log")):
            self._ledger.keep_log(log.stem, log.read_bytes())
            log.unlink()
