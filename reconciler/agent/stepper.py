"""Carries out one step: record, fetch all, run, look after each run, put back on failure. Decides no step."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from reconciler.agent.installer import NO_RESULT, Installer
from reconciler.agent.journal import Journal, OpenAttempt
from reconciler.agent.machine import ArtifactRefused, ArtifactUnavailable, Files, Look, Machine, MachineError
from reconciler.agent.room import check_room
from reconciler.agent.verification import (
    is_there,
    new_reboot_signals,
    probes_of,
    shortfall_of_action,
    shortfall_of_step,
)
from reconciler.kernel.agent_package import PUT_BACK
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.attempts import SUCCESSES, ActionResult, Attempt, Outcome
from reconciler.kernel.calls import STOPPED
from reconciler.kernel.exit_codes import ExitClass, classify
from reconciler.kernel.installer_properties import RefusedProperty, demand_plain_step
from reconciler.kernel.observation import Facts
from reconciler.kernel.practice import failing_checks
from reconciler.kernel.releases import MsiRelease, ProgramRelease
from reconciler.kernel.steps import NEEDS_FILES, Action, Step, StepKind, Verb

_CHECK_PAUSE = 1.0
_GOOD = (ExitClass.SUCCESS, ExitClass.SUCCESS_REBOOT_NEEDED)
_log = logging.getLogger(__name__)

Paths = dict[str, str]
"""Where the artifacts of a step lie on the host, by their sha256."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended, and the line that explains it."""

    outcome: Outcome
    message: str = ""


class Stepper:
    """Carries out steps on one machine, one at a time.

    Args:
        machine: where.
        files: the artifacts there.
        journal: where attempts are recorded before they start.
        installer: carries out the single runs.
        now: tells the time for the record, in seconds since the epoch.
    """

    def __init__(
        self,
        machine: Machine,
        files: Files,
        journal: Journal,
        installer: Installer,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._now = now
        self._machine = machine
        self._files = files
        self._journal = journal
        self._installer = installer

    def carry_out(self, step: Step, goal: str, revision: str, before: Look) -> Attempt:
        """Carry out ``step``, and return the attempt as it ended.

        Args:
            step: what to do.
            goal: the fingerprint of the goal that asks for it.
            revision: the commit that the goal came from.
            before: the look that the step was decided by.

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
            started_at=self._now(),
            from_version=step.from_version,
            to_version=step.to_version,
        )
        going = self._journal.start(attempt, step)
        _log.info("%s of %s: %s to %s", step.kind, step.package, step.from_version, step.to_version)
        try:
            _demand_plain(step)
            check_room(step, before)
            ending = self._go(going, self._fetch(step), before)
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
            ended_at=self._now(),
            outcome=ending.outcome,
            message=ending.message,
            actions=tuple(going.results),
        )
        self._journal.end(ended)
        self._installer.forget(ended.id)
        _log.info("%s of %s: %s %s", ended.kind, ended.package, ending.outcome, ending.message)
        return ended

    def put_back(self, going: OpenAttempt, ending: Ending, paths: Paths | None = None) -> Ending:
        """Put back what a failed attempt has taken away.

        Args:
            going: the attempt.
            ending: what it comes to where nothing was taken away.
            paths: where the step's artifacts lie; ``None`` fetches them.

        Returns:
            how the attempt ends.

        Raises:
            ArtifactRefused, ArtifactUnavailable: only where ``paths`` is ``None``.
            MachineError: the machine could not be looked at.
        """
        step = going.step
        facts = self._look(step)
        taken = [
            action
            for action in step.compensation
            if isinstance(action.release, MsiRelease | ProgramRelease) and not is_there(action.release, facts)
        ]
        if not taken:
            # The run that replaces the agent itself puts the former one back by itself, and says so.
            undone = ending.outcome is Outcome.FAILED and ending.message.endswith(PUT_BACK)
            return replace(ending, outcome=Outcome.FAILED_ROLLED_BACK) if undone else ending
        paths = self._fetch(step) if paths is None else paths
        for action in taken:
            result = self._run(going, action, paths)
            if missing := shortfall_of_action(action, self._look(step)):
                told = f"{ending.message}; putting {action.version} back failed: {describe(result)}, {missing}"
                return Ending(Outcome.FAILED, told)
        versions = ", ".join(action.version for action in taken)
        return Ending(Outcome.FAILED_ROLLED_BACK, f"{ending.message}; {versions} {PUT_BACK}")

    def start_again(self, going: OpenAttempt) -> str:
        """Start the services that the attempt has stopped; return what went wrong, empty where nothing did.

        Raises:
            MachineError: the machine cannot be reached.
        """
        wrong = []
        told = [result.message for result in going.results if result.verb is Verb.STOP]
        for action in going.step.lastly if told else ():
            # Where the run that stopped them left no word, all that the package names are started.
            known = _stopped(told[-1]) if told[-1].startswith(STOPPED) else action.services
            if known:
                result = self._installer.run(going, replace(action, services=known), {})
                if result.exit_code != 0:
                    wrong.append(describe(result))
        return "; ".join(wrong)

    def _go(self, going: OpenAttempt, paths: Paths, before: Look) -> Ending:
        """Run what belongs before, the actions, and what belongs after; services are started again in any case."""
        step = going.step
        for action in step.before:
            result = self._installer.run(going, action, paths)
            if result.exit_code != 0:
                trouble = self.start_again(going) if action.verb is Verb.STOP else ""
                told = f"what belongs before the step failed, and nothing was installed: {describe(result)}"
                return Ending(Outcome.FAILED, f"{told}; {trouble}" if trouble else told)
        ending = self._act_to_an_end(going, paths, before)
        trouble = self._start_again_if_reached(going)
        if ending.outcome not in SUCCESSES:
            return Ending(ending.outcome, f"{ending.message}; {trouble}") if trouble else ending
        if trouble:
            return Ending(Outcome.NOT_FINISHED, f"services were not started again: {trouble}")
        for action in step.after:
            result = self._installer.run(going, action, paths)
            if result.exit_code != 0:
                return Ending(Outcome.NOT_FINISHED, f"what belongs after the step failed: {describe(result)}")
        if wrong := self._failing_checks(step):
            return Ending(Outcome.UNHEALTHY, "; ".join(wrong))
        return ending

    def _act_to_an_end(self, going: OpenAttempt, paths: Paths, before: Look) -> Ending:
        """Run the step's actions; where a file or the machine fails them midway, put back what they took away."""
        try:
            return self._act(going, paths, before)
        except ArtifactRefused as error:
            ending = Ending(Outcome.ARTIFACT_REFUSED, str(error))
        except ArtifactUnavailable as error:
            ending = Ending(Outcome.ARTIFACT_UNAVAILABLE, str(error))
        except MachineError as error:
            ending = Ending(Outcome.FAILED, str(error))
        try:
            return self.put_back(going, ending, paths)
        except MachineError as error:
            return Ending(
                ending.outcome, f"{ending.message}; whether anything is to be put back is unknown: {error}"
            )

    def _start_again_if_reached(self, going: OpenAttempt) -> str:
        try:
            return self.start_again(going)
        except MachineError as error:
            return str(error)

    def _act(self, going: OpenAttempt, paths: Paths, before: Look) -> Ending:
        """Run the step's actions in order. What an exit code claims counts only when a look confirms it."""
        step = going.step
        reboot_needed = False
        for action in step.actions:
            if reboot_needed:
                return Ending(Outcome.WAITED, f"a reboot is needed before {action.version} can be installed")
            result = self._run(going, action, paths)
            kind = classify(action, result.exit_code)
            if kind is ExitClass.WAIT:
                return Ending(Outcome.WAITED, describe(result))
            if kind is ExitClass.SUSPENDED:
                return Ending(Outcome.WAITED, f"the installer waits for a reboot ({result.exit_code})")
            missing = shortfall_of_action(action, self._look(step))
            if kind in _GOOD:
                if missing:
                    told = f"the installer returned {result.exit_code}, but {missing}"
                    return self.put_back(going, Ending(Outcome.NOT_CONFIRMED, told), paths)
                reboot_needed = kind is ExitClass.SUCCESS_REBOOT_NEEDED
            elif action.verb in (Verb.COMMAND, Verb.START):
                return Ending(Outcome.NOT_FINISHED, describe(result))
            elif missing or result.exit_code != NO_RESULT:
                outcome = Outcome.PLAN_WRONG if kind is ExitClass.PLAN_AGAIN else Outcome.FAILED
                return self.put_back(going, Ending(outcome, describe(result)), paths)
        after = self._machine.look(probes_of(step))
        if missing := shortfall_of_step(step, after.facts):
            return Ending(Outcome.NOT_CONFIRMED, f"the installer returned no error, but {missing}")
        if not reboot_needed and (asked := new_reboot_signals(before, after)):
            self._installer.reboot_asked(step.package, asked)
            reboot_needed = True
        return Ending(Outcome.SUCCEEDED_REBOOT_NEEDED if reboot_needed else Outcome.SUCCEEDED)

    def _run(self, going: OpenAttempt, action: Action, paths: Paths) -> ActionResult:
        """Run one action; mend once what can be mended: a file that is no use, a source that Windows has lost."""
        result = self._installer.run(going, action, paths)
        kind = classify(action, result.exit_code)
        if kind is ExitClass.FETCH_AGAIN and action.verb in NEEDS_FILES and action.release is not None:
            anew = {a.sha256: self._files.fetch_again(a) for a in action.release.artifacts}
            return self._installer.run(going, action, paths | anew)
        if kind is ExitClass.SOURCE_REPAIR and going.step.sources:
            self._cache_sources_again(going)
            return self._installer.run(going, action, paths)
        return result

    def _cache_sources_again(self, going: OpenAttempt) -> None:
        """Have Windows Installer take the packages of what is installed into its cache again.

        Source: learn.microsoft.com/windows/win32/msi/reinstallmode ("v": run from the source, cache the package)
        """
        for release in going.step.sources:
            _log.warning("Windows Installer has lost its copy of %s; it is given the same one", release.version)
            paths = self._fetch_all(release.artifacts)
            action = Action(Verb.REINSTALL, release.product_code, release.version, release)
            self._installer.run(going, action, paths)

    def _failing_checks(self, step: Step) -> tuple[str, ...]:
        """Return the health checks that do not pass within their time."""
        if not step.checks or step.kind is StepKind.REMOVE:
            return ()
        deadline = time.monotonic() + step.settle
        while wrong := failing_checks(step.checks, self._look(step).by_probe):
            if time.monotonic() >= deadline:
                return wrong
            self._installer.pause(_CHECK_PAUSE)
        return ()

    def _look(self, step: Step) -> Facts:
        return self._machine.look(probes_of(step)).facts

    def _fetch(self, step: Step) -> Paths:
        """Have every file on the host before the first run, those for putting back included."""
        return self._fetch_all(artifact for release in step.artifacts for artifact in release.artifacts)

    def _fetch_all(self, artifacts: Iterable[Artifact]) -> Paths:
        return {artifact.sha256: self._files.fetch(artifact) for artifact in artifacts}


def describe(result: ActionResult) -> str:
    """Return what a run returned, for a person."""
    if result.exit_code == NO_RESULT:
        return result.message
    who = "the installer" if result.verb in _BY_INSTALLERS else f"{result.command!r}"
    told = f": {result.message}" if result.message else ""
    return f"{who} returned {result.exit_code}{told}"


def _stopped(told: str) -> tuple[str, ...]:
    """Return the services that a run says it has stopped; what went wrong may stand on the lines below."""
    names, _, _ = told.removeprefix(STOPPED).partition("\n")
    return tuple(name for name in names.split("; ") if name)


_BY_INSTALLERS = frozenset({Verb.INSTALL, Verb.REINSTALL, Verb.REMOVE, Verb.PATCH, Verb.UNPATCH, Verb.SET_UP})


def _demand_plain(step: Step) -> None:
    try:
        demand_plain_step(step)
    except RefusedProperty as error:
        raise MachineError(f"{error.what}; nothing was run", hint=error.hint) from error
