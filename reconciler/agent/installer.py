"""Carries out single installer runs: starts one on the record, waits for it with a deadline, reads its result."""

from __future__ import annotations

import logging
import shutil
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from reconciler.agent.installer_log import LONGEST_LINE, read_end, telling_line
from reconciler.agent.journal import Journal, OpenAttempt
from reconciler.agent.machine import Machine, Run, RunningInstaller
from reconciler.agent.run_folder import claim_run, read_claim, read_result
from reconciler.kernel.attempts import ActionResult
from reconciler.kernel.exit_codes import ExitClass, classify, normalise_exit_code
from reconciler.kernel.installer_command import command_line
from reconciler.kernel.protocol import LONGEST_LOG
from reconciler.kernel.steps import Action

LONGEST_RUN = 3600.0
"""Seconds after which a run is ended by force: installers hang, and nothing else may run meanwhile."""

NO_RESULT = -1
"""Stands for the exit code of a run that ended without one."""

_NOT_TO_BEGIN = "the agent, after a restart: not to begin"
_WAIT_SLICE = 1.0
_REBOOT_CLASSES = (ExitClass.SUCCESS_REBOOT_NEEDED, ExitClass.SUSPENDED)
_GOOD_CLASSES = (ExitClass.SUCCESS, ExitClass.SUCCESS_REBOOT_NEEDED)
_log = logging.getLogger(__name__)


class Stopping(Exception):
    """The agent is being stopped while a run goes on: the journal knows it, and the next start picks it up."""


class Installer:
    """The installer runs of one host, one at a time.

    Args:
        machine: where they run.
        journal: where they are recorded.
        folder: where each has its own folder while it matters.
        stopping: set when the agent is being stopped.
        reboot_asked: told, before anything else is, that an installer asked for a reboot: for which package, and
            in what words to say so.
    """

    def __init__(
        self,
        machine: Machine,
        journal: Journal,
        folder: Path,
        stopping: threading.Event,
        reboot_asked: Callable[[str, str], None],
    ) -> None:
        self._machine = machine
        self._journal = journal
        self._runs = folder / "runs"
        self._failed_logs = folder / "logs" / "attempts"
        self._stopping = stopping
        self._reboot_asked = reboot_asked
        if journal.open_attempt is None:
            self.clear()

    def run(
        self, going: OpenAttempt, action: Action, file: Path | None, transforms: tuple[Path, ...] = ()
    ) -> ActionResult:
        """Run the installer once and wait for it.

        Args:
            going: the attempt that it belongs to.
            action: what to do.
            file: the MSI; ``None`` for a removal.
            transforms: the transforms to install it with.

        Raises:
            MachineError: it could not be started.
            Stopping: the agent is being stopped; the run goes on.
        """
        if self._stopping.is_set():
            raise Stopping
        name = f"{going.attempt.id}-{uuid.uuid4().hex[:8]}"  # a folder that a crash left may not be met again
        run = Run(action, file, self._runs / name, transforms)
        run.folder.mkdir(parents=True)
        self._journal.run(name, action)
        in_time = self._wait(self._machine.start(run))
        return self._conclude(going, run, in_time)

    def resume(self, left: OpenAttempt) -> None:
        """Find out what became of the run that an earlier agent process had begun; wait for it if it still runs.

        Its result goes to the journal. One that had not begun has none, and now never will begin.

        Raises:
            Stopping: the agent is being stopped; the run goes on.
        """
        if left.run is None or left.run_action is None:
            return
        folder = self._runs / left.run
        if not folder.is_dir() or claim_run(str(folder), _NOT_TO_BEGIN):
            return
        claimed_by = read_claim(str(folder)) or ""
        if claimed_by == _NOT_TO_BEGIN:
            return
        running = self._machine.find(claimed_by)
        in_time = True
        if running is not None:
            _log.info("the installer run %s is still going on; waiting for it", left.run)
            in_time = self._wait(running)
        self._conclude(left, Run(left.run_action, None, folder), in_time)

    def clear(self) -> None:
        """Delete the folders of runs: the attempt that they belonged to has ended."""
        for folder in self._runs.glob("*"):
            shutil.rmtree(folder, ignore_errors=True)

    def _wait(self, running: RunningInstaller) -> bool:
        """Wait for the end of a run; return whether it came within `LONGEST_RUN`."""
        deadline = time.monotonic() + LONGEST_RUN
        while not running.wait(_WAIT_SLICE):
            if self._stopping.is_set():
                raise Stopping
            if time.monotonic() > deadline:
                _log.error("the installer did not end within %d s and is ended by force", LONGEST_RUN)
                running.kill()
                running.wait(_WAIT_SLICE)
                return False
        return True

    def _conclude(self, going: OpenAttempt, run: Run, in_time: bool) -> ActionResult:
        """Put on record what a run that has ended came to."""
        action = run.action
        found = read_result(str(run.folder))
        if found is not None:
            code, message = normalise_exit_code(found[0]), found[1][:LONGEST_LINE]
        elif in_time:
            code, message = NO_RESULT, "the installer's process ended without a result: it was ended from outside"
        else:
            code, message = NO_RESULT, f"the installer did not end within {LONGEST_RUN:.0f} s and was killed"
        kind = classify(action.verb, code)
        if kind not in _GOOD_CLASSES:
            text = read_end(run.log)
            message = message or telling_line(text)
            self._keep_log(going.attempt.id, text)
        if kind in _REBOOT_CLASSES:
            package = going.attempt.package
            self._reboot_asked(package, f"{package} {action.version} returned {code}")
        name = str(run.file) if run.file else _file_name(action)
        result = ActionResult(
            action.verb, command_line(action, name, str(run.log), run.transform_names), code, message
        )
        self._journal.ran(result)
        return result

    def _keep_log(self, attempt: str, text: str) -> None:
        """Keep the log of the attempt's first failed run, to be handed over once the server has the attempt."""
        kept = self._failed_logs / f"{attempt}.log"
        if text and not kept.exists():
            self._failed_logs.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(text.encode("utf-8", "replace")[-LONGEST_LOG:])


def _file_name(action: Action) -> str:
    return action.release.artifact.file_name if action.release is not None else ""
