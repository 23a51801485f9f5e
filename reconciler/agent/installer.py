"""Carries out single runs: starts one on the record, waits for it with a deadline, reads its result and log."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from reconciler.agent.installer_log import LONGEST_LINE, telling_line
from reconciler.agent.journal import Journal, OpenAttempt
from reconciler.agent.machine import Machine, Run, Running
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.attempts import ActionResult
from reconciler.kernel.calls import Call, CallKind, Paths, call_of, command_line
from reconciler.kernel.exit_codes import ExitClass, classify, normalise_exit_code
from reconciler.kernel.protocol import LONGEST_LOG
from reconciler.kernel.redaction import is_secret, redact, secrets_in
from reconciler.kernel.releases import MsiRelease, PatchRelease, ProgramRelease
from reconciler.kernel.steps import Action, Verb

NO_RESULT = -1
"""Stands for the exit code of a run that ended without one."""

_WAIT_SLICE = 1.0
_REBOOT_CLASSES = (ExitClass.SUCCESS_REBOOT_NEEDED, ExitClass.SUSPENDED)
_GOOD_CLASSES = (ExitClass.SUCCESS, ExitClass.SUCCESS_REBOOT_NEEDED)
_WITHOUT_LOG = (CallKind.COMMAND, CallKind.CONFIGURE, CallKind.STOP, CallKind.START)
_log = logging.getLogger(__name__)


class Stopping(Exception):
    """The agent is being stopped while a run goes on: the journal knows it, and the next start picks it up."""


class Installer:
    """The runs on one host, one at a time.

    Args:
        machine: where they run.
        journal: where they are recorded.
        failed_logs: the folder for the logs of failed attempts, until they are handed to the server.
        stopping: set when the agent is being stopped.
        reboot_asked: told, before anything else is, that an installer asked for a reboot: for which package, and
            in what words to say so.
    """

    def __init__(
        self,
        machine: Machine,
        journal: Journal,
        failed_logs: Path,
        stopping: threading.Event,
        reboot_asked: Callable[[str, str], None],
    ) -> None:
        self._machine = machine
        self._journal = journal
        self._failed_logs = failed_logs
        self._stopping = stopping
        self.reboot_asked = reboot_asked
        if journal.open_attempt is None:
            machine.forget("")

    def run(self, going: OpenAttempt, action: Action, paths: Paths) -> ActionResult:
        """Run one action and wait for its end.

        Args:
            going: the attempt that it belongs to.
            action: what to do.
            paths: where the artifacts that it takes lie on the host.

        Raises:
            MachineError: it could not be started, or the machine cannot be asked about it.
            Stopping: the agent is being stopped; the run goes on.
        """
        self.check_stopping()
        name = f"{going.attempt.id}-{uuid.uuid4().hex[:8]}"  # a folder that a crash left may not be met again
        call = call_of(action, paths)
        self._journal.run(name, action)
        running = self._machine.start(Run(name, call))
        in_time = self._wait(running, call.seconds)
        return self._conclude(going, action, running, command_line(call, _log_of(call, running)), in_time)

    def resume(self, left: OpenAttempt) -> None:
        """Find out what became of the run that an earlier agent process had begun; wait for it if it still runs.

        Its result goes to the journal. One that had not begun has none, and now never will begin.

        Raises:
            MachineError: the machine cannot be asked about it.
            Stopping: the agent is being stopped; the run goes on.
        """
        if left.run is None or left.run_action is None:
            return
        running = self._machine.find(left.run)
        if running is None:
            return
        action = left.run_action
        if not running.wait(0):
            _log.info("the run %s is still going on; waiting for it", left.run)
        in_time = self._wait(running, action.seconds)
        # Where the files lay is not known any more; their names say enough.
        names = {artifact.sha256: artifact.file_name for artifact in _artifacts_of(action)}
        call = call_of(action, names)
        self._conclude(left, action, running, command_line(call, _log_of(call, running)), in_time)

    def forget(self, attempt: str) -> None:
        """Delete what the runs of an ended attempt left on the machine."""
        self._machine.forget(attempt)

    def check_stopping(self) -> None:
        """Go no further where the agent is being stopped.

        Raises:
            Stopping: it is.
        """
        if self._stopping.is_set():
            raise Stopping

    def pause(self, seconds: float) -> None:
        """Wait, but not where the agent is being stopped.

        Raises:
            Stopping: it is.
        """
        if self._stopping.wait(seconds):
            raise Stopping

    def _wait(self, running: Running, seconds: float) -> bool:
        """Wait for the end of a run; return whether it came within ``seconds``."""
        deadline = time.monotonic() + seconds
        while not running.wait(min(_WAIT_SLICE, seconds)):
            self.check_stopping()
            if time.monotonic() > deadline:
                _log.error("the run did not end within %d s and is ended by force", seconds)
                running.kill()
                running.wait(_WAIT_SLICE)
                return False
        return True

    def _conclude(
        self, going: OpenAttempt, action: Action, running: Running, command: str, in_time: bool
    ) -> ActionResult:
        """Put on record what a run that has ended came to."""
        found = running.result()
        if found is not None:
            # The names of stopped services are needed to the last one, to start them again.
            longest = LONGEST_LINE if action.verb is not Verb.STOP else LONGEST_LOG
            code, message = normalise_exit_code(found.exit_code), found.message[:longest]
        elif in_time:
            code, message = NO_RESULT, "the run's process ended without a result: it was ended from outside"
        else:
            code, message = NO_RESULT, f"the run did not end within {action.seconds:.0f} s and was ended by force"
        kind = classify(action, code)
        secrets = _secrets_of(action)
        if kind not in _GOOD_CLASSES:
            text = redact(running.log(), secrets)
            message = message or telling_line(text)
            self._keep_log(going.attempt.id, text)
        if kind in _REBOOT_CLASSES:
            package = going.attempt.package
            self.reboot_asked(package, f"{package} {action.version} returned {code}")
        result = ActionResult(action.verb, command, code, redact(message, secrets), kind)
        self._journal.ran(result)
        return result

    def _keep_log(self, attempt: str, text: str) -> None:
        """Keep the log of the attempt's first failed run, to be handed over once the server has the attempt."""
        kept = self._failed_logs / f"{attempt}.log"
        if text and not kept.exists():
            self._failed_logs.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(text.encode("utf-8", "replace")[-LONGEST_LOG:])


def _log_of(call: Call, running: Running) -> str:
    return "" if call.kind in _WITHOUT_LOG else running.log_path


def _artifacts_of(action: Action) -> tuple[Artifact, ...]:
    return action.release.artifacts if action.release is not None else ()


def _secrets_of(action: Action) -> tuple[str, ...]:
    """Return the values of properties and arguments that hold secrets, by their names."""
    release, found = action.release, set(secrets_in(action.command))
    if isinstance(release, MsiRelease | PatchRelease):
        found.update(value for name, value in release.properties if is_secret(name))
    elif isinstance(release, ProgramRelease):
        found |= secrets_in(release.arguments) | secrets_in(release.uninstall)
    return tuple(found)
