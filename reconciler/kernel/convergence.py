"""Decides what a host should do next: assignment and observation in, one step out. Touches nothing.

What a package takes by its kind is found in `reconciler.kernel.kinds`; here is what is the same for all kinds:
what must be waited for, what runs around a step, and in which words it is told.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from reconciler.kernel.assignment import Assignment, Goal, Hold
from reconciler.kernel.attempts import Outcome, Tally
from reconciler.kernel.kinds import Finding, find_packages
from reconciler.kernel.observation import Observation
from reconciler.kernel.practice import failing_checks
from reconciler.kernel.retries import Tries, tries_of
from reconciler.kernel.status import Health, Reason, Sync
from reconciler.kernel.steps import Action, Step, StepKind, Verb


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one package stands on one host, and the step that would bring it on.

    ``step`` is what the package needs, whether or not it may start now; ``ready`` says that it may.
    ``not_before`` is when a step that waits for time may start, in seconds since the epoch. ``tries`` tells of the
    tries at the present goal so far, ``None`` where there were none.
    """

    package: str
    sync: Sync
    health: Health
    reason: Reason
    installed: str | None
    wanted: str | None
    message: str = ""
    step: Step | None = None
    ready: bool = False
    not_before: float | None = None
    tries: Tries | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What `converge` found: a standing for each package assigned, in order, and the one step to take now."""

    standings: tuple[Standing, ...]
    step: Step | None
    look_again_at: float | None


def converge(assignment: Assignment, observed: Observation, now: float) -> Decision:
    """Decide the next step on a host. Pure: the same arguments give the same decision.

    Args:
        assignment: what the host should have.
        observed: what it has, and how often its present goals were tried in vain.
        now: seconds since the epoch.

    Returns:
        a standing per package; the first step that may start now, if any; and when to look again though
        nothing else happens.
    """
    hold = assignment.hold if assignment.hold is not None and assignment.hold.holds(now) else None
    tallies = {tally.package: tally for tally in observed.tallies}
    found = find_packages(assignment.goals, observed.facts)
    standings = tuple(
        _standing(goal, found[goal.package], tallies.get(goal.package), observed, assignment.host, now)
        for goal in assignment.goals
    )
    if hold is not None:
        standings = tuple(_held(standing, hold) for standing in standings)
    step = next((s.step for s in standings if s.ready), None)
    waits = [s.not_before for s in standings if s.not_before is not None]
    return Decision(standings, step, min(waits, default=None))


def _standing(
    goal: Goal, found: Finding, tally: Tally | None, observed: Observation, host: str, now: float
) -> Standing:
    tally = tally if tally is not None and tally.goal == goal.fingerprint else None
    step = _as_practised(goal, found.step) if found.step is not None else _finishing(goal, found, tally)
    if step is None:
        return _at_rest(goal, found, observed)

    health = Health.MISSING if found.installed is None else Health.PROGRESSING
    tries = tries_of(tally, host) if tally is not None else None
    due = tries.next_at if tries is not None else None
    not_before: float | None = None
    ready = False
    message = tally.message if tally else found.message
    if goal.awaits:
        reason = Reason.HALTED if goal.halted else Reason.AWAITING_CONFIRMATION
        message, health = goal.awaits, Health.SUSPENDED
    elif found.obstacle is not None:
        reason, message, health = found.obstacle.reason, found.obstacle.message, Health.DEGRADED
    elif observed.reboot_pending and not goal.practice.despite_reboot:
        reason, message = Reason.REBOOT_PENDING, "a reboot is pending: " + ", ".join(observed.reboot_pending)
    elif tally is not None and due is None:
        reason, health = Reason.RETRIES_EXHAUSTED, Health.DEGRADED
    elif tally is not None and due is not None and due > now:
        reason, not_before = _waiting_reason(tally), due
        health = Health.DEGRADED if tally.failures else health
    else:
        reason, ready = Reason.STEP_DUE, True
        health = Health.DEGRADED if tally is not None and tally.failures else health
    wanted = goal.target.version if goal.target else None
    return Standing(
        goal.package,
        Sync.OUT_OF_SYNC,
        health,
        reason,
        found.installed,
        wanted,
        message,
        step,
        ready,
        not_before,
        tries,
    )


def _at_rest(goal: Goal, found: Finding, observed: Observation) -> Standing:
    """Tell of a package that takes no step."""
    wanted = goal.target.version if goal.target else None
    if not found.applies:
        return Standing(
            goal.package,
            Sync.SYNCED,
            Health.HEALTHY,
            Reason.NOT_APPLICABLE,
            found.installed,
            wanted,
            found.message,
        )
    if observed.reboot_asked_by == goal.package:
        # A silent upgrade has been seen to return 3010 and to roll back at the boot: not before that is it so.
        waits = "it asked for a reboot, and is looked at again after that"
        return Standing(
            goal.package, Sync.UNKNOWN, Health.PROGRESSING, Reason.REBOOT_PENDING, found.installed, wanted, waits
        )
    if goal.target is not None and (wrong := failing_checks(goal.practice.checks, observed.facts.by_probe)):
        told = "; ".join(wrong)
        return Standing(
            goal.package, Sync.SYNCED, Health.DEGRADED, Reason.CHECK_FAILED, found.installed, wanted, told
        )
    return Standing(goal.package, Sync.SYNCED, Health.HEALTHY, Reason.UP_TO_DATE, found.installed, wanted)


def _as_practised(goal: Goal, step: Step) -> Step:
    """Put around a step what the package wants around it."""
    practice = goal.practice
    stop = Action(Verb.STOP, services=practice.services, processes=practice.processes, seconds=practice.seconds)
    start = Action(Verb.START, services=practice.services, seconds=practice.seconds)
    return replace(
        step,
        before=(*_commands(goal, practice.before), *((stop,) if practice.services or practice.processes else ())),
        after=_commands(goal, practice.after),
        lastly=(start,) if practice.services else (),
        checks=practice.checks if goal.target is not None else (),
        settle=practice.settle,
    )


def _finishing(goal: Goal, found: Finding, tally: Tally | None) -> Step | None:
    """Return the step that does again what belongs after a step, where that failed: services, then commands.

    Which of the services had run before the step is not known any more, so all are started but disabled ones.
    """
    if tally is None or tally.last_outcome is not Outcome.NOT_FINISHED or goal.target is None:
        return None
    practice = goal.practice
    start = Action(Verb.START, services=practice.services, seconds=practice.seconds)
    actions = (*((start,) if practice.services else ()), *_commands(goal, practice.after))
    return Step(StepKind.FINISH, goal.package, found.installed, goal.target.version, actions) if actions else None


def _commands(goal: Goal, lines: tuple[str, ...]) -> tuple[Action, ...]:
    return tuple(Action(Verb.COMMAND, command=line, seconds=goal.practice.seconds) for line in lines)


def _held(standing: Standing, hold: Hold) -> Standing:
    """Let nothing start; what is in order stays in order."""
    if standing.step is None:
        return standing
    return replace(
        standing,
        health=Health.SUSPENDED,
        reason=Reason.HELD,
        message=hold.reason,
        ready=False,
        not_before=hold.until,
    )


def _waiting_reason(tally: Tally) -> Reason:
    if tally.last_outcome is Outcome.WAITED:
        return Reason.INSTALLER_BUSY
    if tally.last_outcome is Outcome.ARTIFACT_REFUSED:
        return Reason.ARTIFACT_REFUSED
    if tally.last_outcome is Outcome.ARTIFACT_UNAVAILABLE:
        return Reason.ARTIFACT_UNAVAILABLE
    return Reason.RETRY_BACKOFF
