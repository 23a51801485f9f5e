"""Shared by all benchmarks: taking turns, spreads, and what a figure is. Judges a figure by its bound, no more."""

from __future__ import annotations

import gc
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some measurements, the least and the most of them, and how many they were."""

    median: float
    least: float
    most: float
    rounds: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Return the spread of ``values``, which must not be empty."""
        taken = list(values)
        return cls(statistics.median(taken), min(taken), max(taken), len(taken))


@dataclass(frozen=True, slots=True)
class Bound:
    """What a figure's median is to be: at most, or at least, ``limit``."""

    limit: float
    at_most: bool

    def met_by(self, spread: Spread) -> bool:
        """Return whether the median keeps to the bound."""
        return spread.median <= self.limit if self.at_most else spread.median >= self.limit

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. ``unit`` is empty for a ratio, which is ``×`` nothing but a number."""

    name: str
    unit: str
    spread: Spread
    bound: Bound | None = None

    @property
    def verdict(self) -> str:
        """``met`` or ``missed``; empty where there is no bound."""
        if self.bound is None:
            return ""
        return "met" if self.bound.met_by(self.spread) else "missed"


Sides = dict[str, list[float]]
"""The measurements of each side, in the order of the rounds: those of one round stand at one index."""


def take_turns(rounds: int, sides: dict[str, Callable[[], float]]) -> Sides:
    """Measure every side once a round, in turn, after one round that does not count.

    Args:
        rounds: how many rounds count.
        sides: by name, what does a side's work once and returns the measurement.
    """
    taken: Sides = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, measure in sides.items():
            value = measure()
            if number:
                taken[name].append(value)
    return taken


def ratios(over: Iterable[float], under: Iterable[float]) -> Spread:
    """Return the spread of the ratios of two sides, round by round."""
    return Spread.of(a / b for a, b in zip(over, under, strict=True))


def cpu_seconds(work: Callable[[], object]) -> float:
    """Do ``work`` and return the processor time that it took this process, in seconds.

    Earlier rubbish is cleared away first, so that nobody pays for that of another.
    """
    gc.collect()
    started = time.process_time()
    work()
    return time.process_time() - started


def cpu_seconds_of(pid: int) -> float:
    """Return the processor time that a process of ours has taken so far, in seconds, user and system.

    Source: the macros of Linux behind clock_getcpuclockid(3): such a clock's id is made from the process id.
    """
    return time.clock_gettime((~pid << 3) | 2)


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Keep this process on one core meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def two_cores() -> tuple[int, int]:
    """Return a core for a server and one for its load: the same one where there is no other."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[0], cores[-1]


def progress(text: str) -> None:
    """Say on standard error what goes on."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def resident_bytes() -> int:
    """Return how much memory this process holds, in bytes. Linux only."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
