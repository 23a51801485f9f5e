"""Works out what each host should have now."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from reconciler.desired.model import DesiredState, Variant
from reconciler.kernel.assignment import Assignment, Goal, Hold
from reconciler.kernel.protocol import assignment_digest, goal_fingerprint
from reconciler.kernel.releases import Release
from reconciler.rollout.breaker import ReleaseKey, halt
from reconciler.rollout.guards import Held, hold_back
from reconciler.rollout.retries import Retries

Goals = tuple[Goal, ...]

_Wish = tuple[int, str | None]
"""A package as an environment knows it, and the version wanted of it."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """An assignment and its digest."""

    assignment: Assignment
    digest: str


class Assigner:
    """Makes assignments from one desired state. Hosts that should have the same share their goals in memory.

    Args:
        desired: the desired state.
        retries: what people asked to be tried afresh.
    """

    def __init__(self, desired: DesiredState, retries: Retries | None = None) -> None:
        self._desired = desired
        self._retries = retries or Retries()
        self._bare: dict[_Wish, Goal] = {}
        self._goals: dict[tuple[_Wish, int], Goal] = {}
        self._shared: dict[tuple[str, Variant, frozenset[str], str], Goals] = {}
        self._held_back: dict[tuple[str, int, bool], Goals] = {}
        self._halted: dict[tuple[str, int, frozenset[str]], Goals] = {}
        self._digests: dict[tuple[str, int, Hold | None], str] = {}

    def assign(self, host: str, enrolled_into: str | None, managed: Collection[str] = ()) -> Assigned:
        """Return what a host should have.

        Args:
            host: its name, in any case.
            enrolled_into: the environment that its agent enrolled into; a file that names the host goes before.
            managed: the packages that it was asked to have so far. Where its environment prunes, those that are
                named no longer are to be absent.

        Returns:
            an assignment of nothing where the host belongs to no environment of this desired state: what it has
            stays as it is.
        """
        name = host.upper()
        environment = self._desired.environment_of(host, enrolled_into)
        if environment is None:
            return self._digested(Assignment(name, enrolled_into or "", self._desired.revision))
        variant = self._desired.variant(environment, host)
        dropped = frozenset(managed) if self._desired.environments[environment].prune else frozenset()
        alone = name if name in self._retries.hosts else ""
        key = (environment, variant, dropped, alone)
        goals = self._shared.get(key)
        if goals is None:
            goals = self._shared[key] = self._goals_of(environment, host, dropped)
        hold = self._desired.hold_of(host, environment)
        revision = self._desired.of(environment).revision
        return self._digested(Assignment(name, environment, revision, goals, hold))

    def hold_back(self, assigned: Assigned, held: Held, *, reported: bool) -> Assigned:
        """Return the assignment with those removals marked that must wait for a confirmation.

        Args:
            assigned: what `assign` returned.
            held: the removals that are too many at once; the same in all calls.
            reported: whether the host has ever reported.
        """
        assignment = assigned.assignment
        key = (assignment.environment, id(assignment.goals), reported)
        goals = self._held_back.get(key)
        if goals is None:
            goals = hold_back(assignment.goals, assignment.environment, held, reported=reported)
            self._held_back[key] = goals
        return assigned if goals is assignment.goals else self._digested(replace(assignment, goals=goals))

    def halt(self, assigned: Assigned, halts: Mapping[ReleaseKey, str], tried: frozenset[str]) -> Assigned:
        """Return the assignment with those goals marked that must not begin, since other hosts failed at them.

        Args:
            assigned: what `assign` or `hold_back` returned.
            halts: which releases are halted where, and why; the same in all calls.
            tried: the packages that the host has tried in vain or was told to try: those it goes on with.
        """
        assignment = assigned.assignment
        key = (assignment.environment, id(assignment.goals), tried)
        goals = self._halted.get(key)
        if goals is None:
            goals = self._halted[key] = halt(assignment.goals, assignment.environment, halts, tried)
        return assigned if goals is assignment.goals else self._digested(replace(assignment, goals=goals))

    def _digested(self, assignment: Assignment) -> Assigned:
        """Goals are told apart by identity: they are kept alive here, and comparing them whole costs too much."""
        key = (assignment.environment, id(assignment.goals), assignment.hold)
        digest = self._digests.get(key)
        if digest is None:
            digest = self._digests[key] = assignment_digest(assignment)
        return Assigned(assignment, digest)

    def _goals_of(self, environment: str, host: str, managed: frozenset[str]) -> Goals:
        wanted = self._desired.wanted(environment, host)
        pruned = sorted((managed - wanted.keys()) & self._desired.of(environment).packages.keys())
        wishes = [*wanted.items(), *((package, None) for package in pruned)]
        return tuple(self._goal(host, environment, package, release) for package, release in wishes)

    def _goal(self, host: str, environment: str, name: str, target: Release | None) -> Goal:
        package = self._desired.of(environment).packages[name]
        key = (id(package), target.version if target else None)
        bare = self._bare.get(key)
        if bare is None:
            others = tuple(release for release in package.releases if release is not target)
            practice = package.practice_at(target.version) if target is not None else package.practice
            bare = Goal(name, package.upgrade_code, target, others, kind=package.kind, practice=practice)
            self._bare[key] = bare
        number = self._retries.number(host.upper(), environment, bare)
        goal = self._goals.get((key, number))
        if goal is None:
            goal = self._goals[(key, number)] = replace(bare, fingerprint=goal_fingerprint(bare, number))
        return goal
