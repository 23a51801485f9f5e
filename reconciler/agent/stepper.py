"""Carries out one step: record, fetch all, run, look after each run, put back on failure. Decides no step."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from reconciler.agent.artifacts import ArtifactCache, ArtifactRefused, ArtifactUnavailable
from reconciler.agent.installer import NO_RESULT, Installer
from reconciler.agent.journal import Journal, OpenAttempt
from reconciler.agent.machine import Machine, MachineError
from reconciler.agent.transport import Server
from reconciler.agent.verification import is_there, shortfall_of_action, shortfall_of_step
from reconciler.kernel.attempts import ActionResult, Attempt, Outcome
from reconciler.kernel.exit_codes import ExitClass, classify
from reconciler.kernel.releases import Release
from reconciler.kernel.steps import Action, Step, Verb

Files = dict[str, Path]
"""Where the artifacts of a step lie on the host, by their sha256."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended, and the line that explains it."""

    outcome: Outcome
    message: str = ""


class Stepper:
    """Carries out steps on one machine, one at a time.

    Args:
        machine: where.
        journal: where attempts are recorded before they start.
        artifacts: the files on the host.
        installer: carries out the single runs.
        files: gives a connection of its own for the fetching of files.
    """

    def __init__(
        self,
        machine: Machine,
        journal: Journal,
        artifacts: ArtifactCache,
        installer: Installer,
        files: Callable[[], Server],
    ) -> None:
        self._machine = machine
        self._journal = journal
        self._artifacts = artifacts
        self._installer = installer
        self._files = files

    def carry_out(self, step: Step, goal: str, revision: str) -> Attempt:
        """Carry out ``step``, and return the attempt as it ended.

        Args:
            step: what to do.
            goal: the fingerprint of the goal that asks for it.
            revision: the commit that the goal came from.

        Raises:
            Stopping: the agent is being stopped; the attempt stays open in the journal.
            OSError: the journal cannot be written; nothing more has been run.
        """
        attempt = Attempt(
            id=uuid.uuid4().hex,
            package=step.package,
            kind=step.kind,
            goal=goal,
            revision=revision,
            started_at=time.time(),
            from_version=step.from_version,
            to_version=step.to_version,
        )
        going = self._journal.start(attempt, step)
        _log.info("%s of %s: %s to %s", step.kind, step.package, step.from_version, step.to_version)
        try:
            ending = self._go(going, self._fetch(step))
        except ArtifactRefused as error:
            ending = Ending(Outcome.ARTIFACT_REFUSED, str(error))
        except ArtifactUnavailable as error:
            ending = Ending(Outcome.ARTIFACT_UNAVAILABLE, str(error))
        except MachineError as error:
            ending = Ending(Outcome.FAILED, str(error))
        return self.finish(going, ending)

    def finish(self, going: OpenAttempt, ending: Ending) -> Attempt:
        """Record that the attempt ended so, and return it as it ended."""
        ended = replace(
            going.attempt,
            ended_at=time.time(),
            outcome=ending.outcome,
            message=ending.message,
            actions=tuple(going.results),
        )
        self._journal.end(ended)
        self._installer.clear()
        _log.info("%s of %s: %s %s", ended.kind, ended.package, ending.outcome, ending.message)
        return ended

    def put_back(self, going: OpenAttempt, ending: Ending, files: Files | None = None) -> Ending:
        """Put back what a failed attempt has taken away.

        Args:
            going: the attempt.
            ending: what it comes to where nothing was taken away.
            files: the step's artifacts; ``None`` fetches them.

        Returns:
            how the attempt ends.

        Raises:
            ArtifactRefused, ArtifactUnavailable: only where ``files`` is ``None``.
            MachineError: the machine could not be looked at.
        """
        products = self._machine.look().products
        taken = [a for a in going.step.compensation if a.release and not is_there(a.release, products)]
        if not taken:
            return ending
        files = self._fetch(going.step) if files is None else files
        for action in taken:
            result = self._run(going, action, files)
            if missing := shortfall_of_action(action, self._machine.look().products):
                told = f"{ending.message}; putting {action.version} back failed: {describe(result)}, {missing}"
                return Ending(Outcome.FAILED, told)
        versions = ", ".join(action.version for action in taken)
        return Ending(Outcome.FAILED_ROLLED_BACK, f"{ending.message}; {versions} was put back")

    def _go(self, going: OpenAttempt, files: Files) -> Ending:
        """Run the step's actions in order. What an exit code claims counts only when a look confirms it."""
        reboot_needed = False
        for action in going.step.actions:
            if reboot_needed:
                return Ending(Outcome.WAITED, f"a reboot is needed before {action.version} can be installed")
            result = self._run(going, action, files)
            kind = classify(action.verb, result.exit_code)
            if kind is ExitClass.WAIT:
                return Ending(Outcome.WAITED, describe(result))
            if kind is ExitClass.SUSPENDED:
                return Ending(Outcome.WAITED, f"the installer waits for a reboot ({result.exit_code})")
            missing = shortfall_of_action(action, self._machine.look().products)
            if kind in (ExitClass.SUCCESS, ExitClass.SUCCESS_REBOOT_NEEDED):
                if missing:
                    told = f"the installer returned {result.exit_code}, but {missing}"
                    return self.put_back(going, Ending(Outcome.NOT_CONFIRMED, told), files)
                reboot_needed = kind is ExitClass.SUCCESS_REBOOT_NEEDED
            elif missing or result.exit_code != NO_RESULT:
                return self.put_back(going, Ending(Outcome.FAILED, describe(result)), files)
        if missing := shortfall_of_step(going.step, self._machine.look().products):
            return Ending(Outcome.NOT_CONFIRMED, f"the installer returned no error, but {missing}")
        return Ending(Outcome.SUCCEEDED_REBOOT_NEEDED if reboot_needed else Outcome.SUCCEEDED)

    def _run(self, going: OpenAttempt, action: Action, files: Files) -> ActionResult:
        """Run one action; where the installer cannot use its file, fetch that once more and run again."""
        release = action.release if action.verb is not Verb.REMOVE else None
        if release is None:
            return self._installer.run(going, action, None)
        result = self._installer.run(going, action, *_files_of(release, files))
        if classify(action.verb, result.exit_code) is not ExitClass.FETCH_AGAIN:
            return result
        for artifact in release.artifacts:
            self._artifacts.forget(artifact)
        return self._installer.run(going, action, *_files_of(release, self._fetch_all((release,))))

    def _fetch(self, step: Step) -> Files:
        """Have every file on the host before the first run, those for putting back included."""
        return self._fetch_all(step.artifacts)

    def _fetch_all(self, releases: tuple[Release, ...]) -> Files:
        server = self._files()
        try:
            artifacts = [artifact for release in releases for artifact in release.artifacts]
            return {artifact.sha256: self._artifacts.fetch(artifact, server) for artifact in artifacts}
        finally:
            server.close()


def _files_of(release: Release, files: Files) -> tuple[Path, tuple[Path, ...]]:
    """Return where a release's MSI lies, and its transforms."""
    return files[release.artifact.sha256], tuple(files[transform.sha256] for transform in release.transforms)


def describe(result: ActionResult) -> str:
    """Return what an installer run returned, for a person."""
    if result.exit_code == NO_RESULT:
        return result.message
    told = f": {result.message}" if result.message else ""
    return f"the installer returned {result.exit_code}{told}"
