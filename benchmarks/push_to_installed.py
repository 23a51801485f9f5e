"""From ``git push`` to installed and verified on a lab host, against a bare msiexec of the same MSI on another."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Bound, Figure, Spread, progress
from benchmarks.pushed_fleet import POLL_SECONDS, Round, pushed_fleet

_ROUNDS = 15
_BOUND = Bound(1.0, at_most=True)


def run() -> tuple[Figure, ...]:
    """Measure, and return the figures.

    Raises:
        LabUnavailable: this machine lacks what lab hosts need.
        RoundFailed: an installer failed, or something did not come about in time.
    """
    # Spread evenly over the poll interval, in random order: chance alone would move the median from run to run.
    waits = [(part + random.random()) / _ROUNDS * POLL_SECONDS for part in range(_ROUNDS)]  # noqa: S311
    random.shuffle(waits)
    rounds: list[Round] = []
    progress("  starting a daemon and lab hosts")
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as name, pushed_fleet(Path(name)) as fleet:
        for number, wait in enumerate([POLL_SECONDS / 2, *waits]):
            progress(f"  round {number} of {_ROUNDS}{'' if number else ' (does not count)'}")
            one = fleet.play(number, wait)
            if number:
                rounds.append(one)
    return (
        Figure("the part that is ours: from push to verified, less msiexec", "s", _spread(rounds, _ours), _BOUND),
        Figure("from push to verified ÷ bare msiexec", "", _spread(rounds, lambda r: r.pushed / r.bare)),
        Figure("from push to installed and verified", "s", _spread(rounds, lambda r: r.pushed)),
        Figure("bare msiexec", "s", _spread(rounds, lambda r: r.bare)),
        Figure("  push to revision in force", "s", _spread(rounds, lambda r: r.in_force)),
        Figure("  to the step's start: the wait for the poll", "s", _spread(rounds, lambda r: r.taken)),
        Figure("  the step on the host", "s", _spread(rounds, lambda r: r.step)),
        Figure("  to the server's having the host's word", "s", _spread(rounds, lambda r: r.told)),
    )


def _ours(one: Round) -> float:
    return one.pushed - one.bare


def _spread(rounds: list[Round], part: Callable[[Round], float]) -> Spread:
    return Spread.of(map(part, rounds))
