"""Holds back removals that would hit many hosts at once, until somebody confirms them in the desired state.

A package that vanishes from a file by mistake, or a wrong `absent`, must not empty a fleet: removals that more
than a set share of an environment's hosts would see at once wait for a `confirm`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from reconciler.kernel.assignment import Assignment, Goal
from reconciler.kernel.kinds import find_packages
from reconciler.kernel.observation import Observation

NOT_REPORTED = "the host has not said yet what it has"
"""Why a removal waits on a host that never reported: nobody can tell how many hosts it would hit."""


@dataclass(frozen=True, slots=True)
class GuardedHost:
    """What a host would be assigned, and what it last said; ``None`` before its first report."""

    assignment: Assignment
    observed: Observation | None


Held = dict[tuple[str, str], str]
"""Why the removal of a package waits in an environment, by environment and package."""


def held_removals(
    hosts: Iterable[GuardedHost], shares: Mapping[str, float], confirmed: frozenset[tuple[str, str]]
) -> Held:
    """Find the removals that are too many at once.

    Args:
        hosts: all hosts, with what they would be assigned.
        shares: the share of each environment's hosts, from 0 to 1, that may lose a package at once. One host may
            always.
        confirmed: environment and package of the removals that the desired state confirms.
    """
    population: Counter[str] = Counter()
    losers: Counter[tuple[str, str]] = Counter()
    for host in hosts:
        environment = host.assignment.environment
        population[environment] += 1
        removals = [goal for goal in host.assignment.goals if goal.target is None]
        if not removals or host.observed is None:
            continue
        found = find_packages(removals, host.observed.facts)
        losers.update((environment, package) for package, lost in found.items() if lost.step is not None)
    return {
        key: (
            f"{count} of {population[key[0]]} hosts of {key[0]} would lose {key[1]} at once, more than "
            f"{shares[key[0]]:.0%}: to confirm, add it to confirm: in the environment's file"
        )
        for key, count in losers.items()
        if count > 1 and count > shares[key[0]] * population[key[0]] and key not in confirmed
    }


def hold_back(goals: tuple[Goal, ...], environment: str, held: Held, *, reported: bool) -> tuple[Goal, ...]:
    """Return goals with those removals marked that must wait; the same tuple where none must.

    Args:
        goals: what a host would be assigned.
        environment: its environment.
        held: what `held_removals` found.
        reported: whether the host has ever reported.
    """
    marked = tuple(
        replace(goal, awaits=held.get((environment, goal.package), "") if reported else NOT_REPORTED)
        if goal.target is None
        else goal
        for goal in goals
    )
    return goals if marked == goals else marked
