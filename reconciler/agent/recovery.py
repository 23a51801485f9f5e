"""Picks up an attempt that a crash left open: waits for its run if that goes on, looks, and ends it on the record.

Goes no step forward itself: what is still missing is for the next decision, so nothing runs twice blindly. Only
what a failed run had taken away is put back, as it would have been without the crash.
"""

from __future__ import annotations

from reconciler.agent.installer import NO_RESULT, Installer
from reconciler.agent.journal import Journal, OpenAttempt
from reconciler.agent.machine import ArtifactRefused, ArtifactUnavailable, Machine
from reconciler.agent.stepper import Ending, Stepper, describe
from reconciler.agent.verification import probes_of, shortfall_of_step
from reconciler.kernel.attempts import SUCCESSES, Attempt, Outcome
from reconciler.kernel.exit_codes import ExitClass, classify
from reconciler.kernel.steps import StepKind

_GOOD = (ExitClass.SUCCESS, ExitClass.SUCCESS_REBOOT_NEEDED)
_REBOOT = (ExitClass.SUCCESS_REBOOT_NEEDED, ExitClass.SUSPENDED)


def recover(journal: Journal, machine: Machine, installer: Installer, stepper: Stepper) -> Attempt | None:
    """End the attempt that the journal has open, and return it; ``None`` where there is none.

    Raises:
        Stopping: the agent is being stopped while the run still goes on.
        MachineError: the machine could not be looked at; the attempt stays open.
    """
    left = journal.open_attempt
    if left is None:
        return None
    installer.resume(left)
    if left.step.kind is StepKind.FINISH:
        return stepper.finish(left, _judge_commands(left))
    missing = shortfall_of_step(left.step, machine.look(probes_of(left.step)).facts)
    ending = _judge(left, missing)
    if ending.outcome in (Outcome.FAILED, Outcome.PLAN_WRONG):
        try:
            ending = stepper.put_back(left, ending)
        except (ArtifactRefused, ArtifactUnavailable) as error:
            ending = Ending(Outcome.FAILED, f"{ending.message}; nothing could be put back: {error.what}")
    trouble = stepper.start_again(left)
    if ending.outcome in SUCCESSES and (trouble or left.step.after):
        # What belongs after the step may have run or not: it is for the next decision to have it run.
        told = trouble or "the agent went down before what belongs after the step had run"
        ending = Ending(Outcome.NOT_FINISHED, told)
    elif trouble:
        ending = Ending(ending.outcome, f"{ending.message}; {trouble}")
    return stepper.finish(left, ending)


def _judge_commands(left: OpenAttempt) -> Ending:
    """Tell what a step of commands came to: nothing shows on the machine whether they have run."""
    codes = [result.exit_code for result in left.results]
    if len(codes) == len(left.step.actions) and not any(codes):
        return Ending(Outcome.SUCCEEDED)
    failed = next((describe(result) for result in left.results if result.exit_code != 0), "")
    return Ending(Outcome.NOT_FINISHED, failed or "the agent went down before every command had run")


def _judge(left: OpenAttempt, missing: str) -> Ending:
    """Tell what the attempt came to. A run whose process died has a result without an exit code."""
    step = left.step
    actions = {action.verb: action for action in (*step.actions, *step.compensation)}
    ran = [(result, actions[result.verb]) for result in left.results if result.verb in actions]
    kinds = [classify(action, result.exit_code) for result, action in ran]
    if not missing and ran:
        reboot = any(kind in _REBOOT for kind in kinds)
        return Ending(Outcome.SUCCEEDED_REBOOT_NEEDED if reboot else Outcome.SUCCEEDED)
    if not missing:
        return Ending(Outcome.INTERRUPTED, "the agent went down before anything ran; the host is right already")
    for (result, _), kind in zip(ran, kinds, strict=True):
        if kind is ExitClass.WAIT or kind is ExitClass.SUSPENDED:
            return Ending(Outcome.WAITED, describe(result))
        if kind not in _GOOD and result.exit_code != NO_RESULT:
            outcome = Outcome.PLAN_WRONG if kind is ExitClass.PLAN_AGAIN else Outcome.FAILED
            return Ending(outcome, describe(result))
    told = f"; {ran[-1][0].message}" if ran and ran[-1][0].message else ""
    return Ending(Outcome.INTERRUPTED, f"the agent went down during this attempt, and {missing}{told}")
