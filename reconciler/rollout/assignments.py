"""Works out what each host should have now."""

from __future__ import annotations

from dataclasses import dataclass, replace

from reconciler.desired.model import DesiredState
from reconciler.kernel.assignment import Assignment, Goal
from reconciler.kernel.protocol import assignment_digest, goal_fingerprint
from reconciler.kernel.releases import Release


@dataclass(frozen=True, slots=True)
class Assigned:
    """An assignment and its digest."""

    assignment: Assignment
    digest: str


class Assigner:
    """Makes assignments from one desired state. Hosts that should have the same share their goals in memory."""

    def __init__(self, desired: DesiredState) -> None:
        self._desired = desired
        self._goals: dict[tuple[str, str, str | None], Goal] = {}
        self._shared: dict[tuple[str, tuple[Goal, ...]], tuple[tuple[Goal, ...], str]] = {}
        self._whole_environment: dict[str, tuple[tuple[Goal, ...], str]] = {}

    @property
    def revision(self) -> str:
        """The commit that assignments are made from."""
        return self._desired.revision

    def assign(self, host: str, enrolled_into: str | None) -> Assigned | None:
        """Return what a host should have.

        Args:
            host: its name, in any case.
            enrolled_into: the environment that its agent enrolled into; a file that names the host goes before.

        Returns:
            ``None`` where the host belongs to no environment of this desired state.
        """
        environment = self._desired.environment_of(host, enrolled_into)
        if environment is None:
            return None
        named = self._desired.host(host)
        if named is None or not named.packages:
            if environment not in self._whole_environment:
                self._whole_environment[environment] = self._goals_of(environment, None)
            goals, digest = self._whole_environment[environment]
        else:
            goals, digest = self._goals_of(environment, host)
        return Assigned(Assignment(host.upper(), environment, self._desired.revision, goals), digest)

    def _goals_of(self, environment: str, host: str | None) -> tuple[tuple[Goal, ...], str]:
        wanted = self._desired.wanted(environment, host)
        goals = tuple(self._goal(package, release) for package, release in wanted.items())
        found = self._shared.get((environment, goals))
        if found is None:
            digest = assignment_digest(Assignment("", environment, self._desired.revision, goals))
            found = self._shared[environment, goals] = (goals, digest)
        return found

    def _goal(self, name: str, target: Release | None) -> Goal:
        package = self._desired.packages[name]
        key = (name, package.upgrade_code, target.package_code if target else None)
        goal = self._goals.get(key)
        if goal is None:
            others = tuple(release for release in package.releases if release is not target)
            bare = Goal(name, package.upgrade_code, target, others)
            goal = self._goals[key] = replace(bare, fingerprint=goal_fingerprint(bare))
        return goal
