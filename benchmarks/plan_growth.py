"""The plan for fleets of 1,000, 10,000 and 100,000 hosts of 50 packages: time and memory a host, as they grow."""

from __future__ import annotations

import gc

from benchmarks import fleet
from benchmarks.measure import Figure, Spread, cpu_seconds, progress, resident_bytes
from reconciler.planning.hosts import KnownHost
from reconciler.planning.plan import plan
from reconciler.rollout.assignments import Assigner

SIZES = (1_000, 10_000, 100_000)
PACKAGES = 50

_ROUNDS = {1_000: 5, 10_000: 3, 100_000: 1}


def run() -> tuple[Figure, ...]:
    """Measure, and return the figures. The ratios are against the smallest fleet in the same run."""
    figures: list[Figure] = []
    smallest = 0.0
    for size in SIZES:
        progress(f"  making {size:,} hosts")
        before = resident_bytes()
        hosts = _hosts(size)
        weight = (resident_bytes() - before) / size
        now = max(host.last_seen or 0 for host in hosts)
        taken = [seconds / size * 1e6 for seconds in _time_plan(hosts, now, _ROUNDS[size])]
        spread = Spread.of(taken)
        smallest = smallest or spread.median
        figures += [
            Figure(f"{size:,} hosts: plan, processor time a host", "µs", spread),
            Figure(f"{size:,} hosts: the same ÷ that of {SIZES[0]:,}", "", Spread.of(t / smallest for t in taken)),
            Figure(f"{size:,} hosts: memory that a host takes", "KiB", Spread.of([weight / 1024])),
        ]
        del hosts
        gc.collect()
    return tuple(figures)


def _time_plan(hosts: list[KnownHost], now: float, rounds: int) -> list[float]:
    return [cpu_seconds(lambda: plan("", hosts, now, 300.0)) for _ in range(rounds)]


def _hosts(count: int) -> list[KnownHost]:
    """Make hosts straight in memory. Their texts are the catalog's own, so they weigh less than from a store."""
    desired = fleet.desired_state(count, PACKAGES)
    assigner = Assigner(desired)
    hosts = []
    for number, name in enumerate(desired.hosts):
        assigned = assigner.assign(name, fleet.ENVIRONMENT)
        observed = fleet.observe(desired, number, name)
        hosts.append(
            KnownHost(
                name,
                fleet.ENVIRONMENT,
                assigned.assignment,
                assigned.digest,
                assigned.digest,
                observed,
                fleet.ENROLLED_AT,
            )
        )
    return hosts
