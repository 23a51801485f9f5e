"""Says which retry, if any, counts for a host and a goal. Pure: the retries come in as they are on record."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.kernel.assignment import Assignment, Goal
from reconciler.kernel.protocol import goal_fingerprint
from reconciler.kernel.retries import Retry


class Retries:
    """The newest retries, looked up by host, environment and package.

    Args:
        asked: the retries; of several for the same the newest counts.
    """

    def __init__(self, asked: Iterable[Retry] = ()) -> None:
        self._shared: dict[tuple[str, str], int] = {}
        self._own: dict[str, dict[str, Retry]] = {}
        for retry in sorted(asked, key=lambda retry: retry.number):
            if retry.host:
                self._own.setdefault(retry.host, {})[retry.package] = retry
            else:
                self._shared[(retry.environment, retry.package)] = retry.number
        self.hosts = frozenset(self._own)
        """The hosts for which alone somebody asked."""

    def own(self, host: str, environment: str, goal: Goal) -> Retry | None:
        """Return the retry that somebody asked for on this host alone, where it still counts.

        It counts for the goal that it was asked for, until there is one for the whole environment.
        """
        retry = self._own.get(host, {}).get(goal.package)
        if retry is None or retry.number < self._shared.get((environment, goal.package), 0):
            return None
        return retry if retry.goal == goal_fingerprint(goal) else None

    def concern(self, assignment: Assignment) -> bool:
        """Return whether one that somebody asked for on this host alone still counts for any of its goals."""
        return any(self.own(assignment.host, assignment.environment, goal) for goal in assignment.goals)

    def number(self, host: str, environment: str, goal: Goal) -> int:
        """Return the number of the retry that counts for a goal on a host, 0 where none does."""
        own = self.own(host, environment, goal)
        return own.number if own is not None else self._shared.get((environment, goal.package), 0)
