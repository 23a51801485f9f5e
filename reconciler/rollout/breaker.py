"""Halts a release where hosts fail alike at it: those that have not tried it yet do not begin.

Works from what hosts last said, so it needs no memory: when the hosts that failed get there after all, or the goal
becomes another one, the rest goes on by itself. Hosts that failed keep their own bounded tries. Tries that had to
wait, or could not get their files, are no evidence against a release.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace

from reconciler.kernel.assignment import Assignment, Goal
from reconciler.kernel.attempts import Failure, Outcome, failure_of
from reconciler.kernel.convergence import converge
from reconciler.kernel.observation import Observation
from reconciler.kernel.status import Reason
from reconciler.rollout.retries import Retries

MOST_NAMES = 5
"""How many of the hosts that failed are named."""

LONGEST_MESSAGE = 160
"""Characters of a host's own words that are passed on."""

ReleaseKey = tuple[str, str, str]
"""Environment, package, and the wanted release's version; empty for an absence."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A goal that a host is not at yet, and that it has tried in vain or was told to try.

    ``failure`` is what the last charged try came to, ``None`` where there was none.
    """

    host: str
    environment: str
    goal: Goal
    failure: Failure | None


def trials(assignment: Assignment, observed: Observation, retries: Retries, now: float) -> tuple[Trial, ...]:
    """Return the goals that a host has tried and is still on its way to.

    A host that somebody told to try afresh counts as failed until that try has ended: what is known of the
    release must not be forgotten by asking for another look.

    Args:
        assignment: what the host would be assigned.
        observed: what it last said.
        retries: what people asked for.
        now: seconds since the epoch.
    """
    tallies = {tally.package: tally for tally in observed.tallies}
    found: list[Trial] = []
    for goal, standing in zip(assignment.goals, converge(assignment, observed, now).standings, strict=True):
        if standing.step is None and standing.reason is not Reason.CHECK_FAILED:
            continue  # it is as it should be, whatever was before
        retry = retries.own(assignment.host, assignment.environment, goal)
        tally = tallies.get(goal.package)
        failure = failure_of(tally) if tally is not None and tally.goal == goal.fingerprint else None
        if failure is None and retry is not None:
            failure = retry.failure
        if failure is not None or retry is not None:
            found.append(Trial(assignment.host, assignment.environment, goal, failure))
    return tuple(found)


def find_halts(tried: Iterable[Trial], halt_after: Mapping[str, int]) -> dict[ReleaseKey, str]:
    """Return which releases are halted where, and why.

    Two hosts fail alike where the installer returned them the same exit code or, where no exit code decided,
    their attempts ended in the same outcome.

    Args:
        tried: the trials of all hosts.
        halt_after: for each environment, how many hosts that fail alike halt a release there.
    """
    alike: dict[tuple[ReleaseKey, int | Outcome], list[Trial]] = {}
    for trial in tried:
        if trial.failure is not None:
            key = release_key(trial.environment, trial.goal)
            alike.setdefault((key, _likeness(trial.failure)), []).append(trial)
    # Where hosts fail in several ways, the most frequent is told.
    halts: dict[ReleaseKey, str] = {}
    for (key, _), failed in sorted(alike.items(), key=lambda item: (len(item[1]), str(item[0]))):
        if len(failed) >= halt_after[key[0]]:
            halts[key] = _told(key, sorted(failed, key=lambda trial: trial.host), halt_after[key[0]])
    return halts


def halt(
    goals: tuple[Goal, ...], environment: str, halts: Mapping[ReleaseKey, str], tried: Set[str]
) -> tuple[Goal, ...]:
    """Return goals with those marked that must not begin; the same tuple where none must.

    Args:
        goals: what a host would be assigned.
        environment: its environment.
        halts: what `find_halts` found.
        tried: the packages of the host's own trials: those it goes on with.
    """
    marked = tuple(
        replace(goal, awaits=why, halted=True)
        if not goal.awaits and goal.package not in tried and (why := halts.get(release_key(environment, goal)))
        else goal
        for goal in goals
    )
    return goals if marked == goals else marked


def release_key(environment: str, goal: Goal) -> ReleaseKey:
    """Return the release that a goal asks for in an environment."""
    return environment, goal.package, goal.target.version if goal.target is not None else ""


def _likeness(failure: Failure) -> int | Outcome:
    return failure.exit_code if failure.exit_code is not None else failure.outcome


def _told(key: ReleaseKey, failed: list[Trial], halt_after: int) -> str:
    """Say why, in words that change no more than they must: they are a part of what hosts are sent."""
    environment, package, _ = key
    first = failed[0]
    assert first.failure is not None
    names = [trial.host for trial in failed[: min(halt_after, MOST_NAMES)]]
    others = " and others" if len(failed) > len(names) else ""
    count = "1 host" if halt_after == 1 else f"{halt_after} hosts"
    what = " ".join(first.failure.message.split())[:LONGEST_MESSAGE] or str(_likeness(first.failure))
    return (
        f"at least {count} failed alike ({what}): {', '.join(names)}{others}; see reconciler trace {first.host} "
        f"{package}; to go on, commit another release, or reconciler retry --environment {environment} "
        f"--package {package}"
    )
