"""The agent's loop: look, decide through the kernel, carry one step out, look again, report.

Level-triggered: every turn starts from a look at the machine and from what is on disk, so no event has to be
seen. A step runs in a thread of its own while the loop goes on checking in; there is never more than one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Set
from dataclasses import replace
from pathlib import Path

from reconciler import __version__
from reconciler.agent.artifacts import ArtifactCache
from reconciler.agent.clock import ServerClock
from reconciler.agent.contact import Contact, Findings
from reconciler.agent.installer import Installer, Stopping
from reconciler.agent.journal import Journal
from reconciler.agent.machine import Look, Machine, MachineError, Signatures
from reconciler.agent.observing import observe
from reconciler.agent.pace import Pace
from reconciler.agent.quota import needed_artifacts
from reconciler.agent.recovery import recover
from reconciler.agent.settings import Settings
from reconciler.agent.state import AgentState
from reconciler.agent.stepper import Stepper
from reconciler.kernel.assignment import Assignment
from reconciler.kernel.convergence import converge
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.observation import Observation
from reconciler.kernel.steps import Step

_HOLD_AFTER_TROUBLE = 30.0
_WAIT_SLICE = 1.0
"""On Windows a wait is not broken off by a signal, so it is cut into slices."""

_log = logging.getLogger(__name__)


class Agent:
    """The agent of one machine.

    Args:
        settings: who it is and where its server is.
        data: its data folder.
        machine: what it keeps.
        signatures: checks who signed the files that are run there.

    Raises:
        OSError: the data folder cannot be read or written.
    """

    def __init__(self, settings: Settings, data: Path, machine: Machine, signatures: Signatures) -> None:
        self._machine = machine
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._state = AgentState(data)
        self._journal = Journal(data / "journal.jsonl")
        self._clock = ServerClock(self._state.remembered.clock_offset, self._state.keep_clock_offset)
        self._contact = Contact(settings, data, self._state, self._journal, self._clock)
        failed_logs = data / "logs" / "attempts"
        self._installer = Installer(
            machine, self._journal, failed_logs, self._stopping, self._state.keep_reboot_asked
        )
        pace = Pace(settings.bytes_per_second, settings.download_window)
        files = ArtifactCache(
            data / "artifacts",
            self._contact.files,
            signatures,
            pace,
            settings.cache_bytes,
            self._needed_artifacts,
        )
        self._stepper = Stepper(machine, files, self._journal, self._installer, self._clock.now)
        self._findings = Findings(Observation(agent_version=__version__))
        self._seen: Look | None = None
        self._busy: str | None = None
        self._hold_until = 0.0

    def run(self) -> None:
        """Keep the machine until `stop` is called."""
        try:
            while not self._stopping.is_set():
                self._wake.clear()
                self._wait_until(self._safe_turn())
        finally:
            self._contact.close()

    def stop(self) -> None:
        """Make `run` return soon. An installer run goes on; the next start picks it up."""
        self._stopping.set()
        self._wake.set()

    def _safe_turn(self) -> float:
        """Do a turn; whatever goes wrong in it (a full disk, say), the agent lives on and tries again."""
        try:
            return self._turn()
        except Exception:
            _log.exception("a turn broke off; there is another one in a while")
            return time.monotonic() + _HOLD_AFTER_TROUBLE

    def _turn(self) -> float:
        """Do what can be done now; return when the next turn is due, on the monotonic clock."""
        wall_due = None
        looked = False
        if self._busy is None:
            looked = self._look()
            if looked and time.monotonic() >= self._hold_until:
                wall_due = self._begin_work()
        if looked and self._contact.has_news(self._findings):
            self._contact.hasten()
        if time.monotonic() >= self._contact.due_at:
            before = self._state.remembered.assignment
            self._contact.exchange(self._findings, self._busy)
            if self._state.remembered.assignment is not before:
                self._wake.set()
        due = self._contact.due_at
        if wall_due is not None:
            due = min(due, time.monotonic() + max(wall_due - self._clock.now(), 0))
        return due

    def _look(self) -> bool:
        """Look at the machine; return whether that could be done."""
        ended = self._journal.unconfirmed
        assignment = self._state.remembered.assignment
        try:
            look = self._machine.look(assignment.probes if assignment is not None else ())
        except MachineError as error:
            _log.error("the machine cannot be looked at: %s", error)
            return False
        self._seen = look
        self._contact.know_machine(look.machine_id)
        observation = observe(look, assignment, self._state, self._journal)
        self._findings = Findings(replace(observation, agent_version=__version__), ended)
        return True

    def _needed_artifacts(self) -> Set[str]:
        return needed_artifacts(self._state.remembered.assignment, self._findings.observation.products)

    def _begin_work(self) -> float | None:
        """Start what is to be done next, if anything; return when to look again, in seconds since the epoch."""
        left = self._journal.open_attempt
        if left is not None:
            self._work(left.attempt.package, self._recover)
            return None
        assignment = self._state.remembered.assignment
        if assignment is None:
            return None
        try:
            decision = converge(assignment, self._findings.observation, self._clock.now())
        except ReconcilerError as error:
            _log.error("the assignment at revision %s cannot be worked from: %s", assignment.revision, error)
            return None
        if decision.step is not None and self._seen is not None:
            self._carry_out(assignment, decision.step, self._seen)
        return decision.look_again_at

    def _carry_out(self, assignment: Assignment, step: Step, seen: Look) -> None:
        goal = next(goal for goal in assignment.goals if goal.package == step.package)
        self._work(
            step.package, lambda: self._stepper.carry_out(step, goal.fingerprint, assignment.revision, seen)
        )

    def _recover(self) -> object:
        return recover(self._journal, self._machine, self._installer, self._stepper)

    def _work(self, package: str, work: Callable[[], object]) -> None:
        def run() -> None:
            try:
                work()
            except Stopping:
                _log.info("stopping while the installer runs for %s", package)
            except Exception:
                _log.exception("the work on %s broke off; it is looked at again in a while", package)
                self._hold_until = time.monotonic() + _HOLD_AFTER_TROUBLE
            finally:
                self._busy = None
                self._wake.set()

        self._busy = package
        threading.Thread(target=run, name=f"step-{package}", daemon=True).start()

    def _wait_until(self, due: float) -> None:
        while (remaining := due - time.monotonic()) > 0:
            if self._wake.wait(min(remaining, _WAIT_SLICE)):
                return
