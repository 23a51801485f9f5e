"""Bounds how much one host may send. Each host has a budget of each kind, which fills up again with time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from reconciler.kernel.errors import ReconcilerError


class Sent(StrEnum):
    """What is counted."""

    REPORTS = "reports"
    ATTEMPTS = "attempts"
    LOGS = "logs"
    LOG_BYTES = "bytes of logs"
    STARTS = "starts of its agent"


@dataclass(frozen=True, slots=True)
class Budget:
    """``at_once`` may be sent at once, and ``a_second`` is added with time, up to that."""

    at_once: float
    a_second: float


BUDGETS: dict[Sent, Budget] = {
    Sent.REPORTS: Budget(120, 2.0),
    Sent.ATTEMPTS: Budget(2_000, 1.0),
    Sent.LOGS: Budget(100, 0.1),
    Sent.LOG_BYTES: Budget(64 * 1024 * 1024, 32 * 1024),
    Sent.STARTS: Budget(20, 0.05),
}
"""What each host may send. An agent that was away for a week has less than this to tell."""


class TooMuch(ReconcilerError):
    """A host that sends more than its budget. ``wait`` is the seconds after which to try again."""

    reference = "too-much"

    def __init__(self, what: Sent, host: str, wait: float) -> None:
        super().__init__(f"this host sends too many {what}; send again in {wait:.0f} s", where=host)
        self.wait = wait


class Rates:
    """The budgets of all hosts, in memory. For one thread."""

    def __init__(self) -> None:
        self._left: dict[tuple[str, Sent], tuple[float, float]] = {}

    def spend(self, host: str, what: Sent, amount: float, now: float) -> None:
        """Take ``amount`` from a host's budget.

        More than a whole budget is taken from a full one, so that nothing is refused for ever.

        Args:
            host: the host's name; it has proven itself, so there are no more of them than hosts.
            what: what it sends.
            amount: how much of it.
            now: seconds on a clock that never goes back.

        Raises:
            TooMuch: there is not so much left.
        """
        budget = BUDGETS[what]
        left, at = self._left.get((host, what), (budget.at_once, now))
        left = min(budget.at_once, left + (now - at) * budget.a_second)
        needed = min(amount, budget.at_once)
        if left < needed:
            raise TooMuch(what, host, math.ceil((needed - left) / budget.a_second))
        self._left[host, what] = (left - needed, now)
