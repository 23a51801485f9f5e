"""A plan for 10,000 hosts of 20 packages, from memory, against one look-up for each package of each host."""

from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

from benchmarks import fleet
from benchmarks.measure import Figure, Spread, cpu_seconds, progress, ratios, take_turns
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.releases import MsiRelease
from reconciler.operations.fleet import known_hosts
from reconciler.planning.hosts import KnownHost
from reconciler.planning.plan import plan
from reconciler.settings import Settings
from reconciler.site import open_site

HOSTS = 10_000
_HOSTS_TO_WEIGH = 1_000
_ROUNDS = 7


class WrongPlan(ReconcilerError):
    """The plan and the floor disagree about which packages need a step."""

    reference = "wrong-plan"


def run() -> tuple[Figure, ...]:
    """Measure, and return the figures.

    Raises:
        WrongPlan: what was measured is not what it is said to be.
    """
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as folder:
        progress(f"  weighing {_HOSTS_TO_WEIGH:,} hosts")
        weight = _bytes_per_host(Path(folder, "weighed"))
        progress(f"  making {HOSTS:,} hosts")
        hosts = _known(Path(folder, "planned"), HOSTS)
    now = max(host.last_seen or 0 for host in hosts)
    installed = [_installed(host) for host in hosts]
    steps, lacking = len(plan("", hosts, now, 300.0).steps), _look_up_each(hosts, installed)
    if steps != lacking or not steps:
        raise WrongPlan(f"the plan has {steps} steps, and {lacking} packages are not as they should be")
    progress(f"  {_ROUNDS} rounds")
    taken = take_turns(
        _ROUNDS,
        {
            "plan": lambda: cpu_seconds(lambda: plan("", hosts, now, 300.0)),
            "floor": lambda: cpu_seconds(lambda: _look_up_each(hosts, installed)),
        },
    )
    return (
        Figure("plan ÷ one look-up for each package", "", ratios(taken["plan"], taken["floor"])),
        Figure("plan, processor time a host", "µs", Spread.of(s / HOSTS * 1e6 for s in taken["plan"])),
        Figure("look-ups, processor time a host", "µs", Spread.of(s / HOSTS * 1e6 for s in taken["floor"])),
        Figure("plan of the whole fleet, processor time", "s", Spread.of(taken["plan"])),
        Figure("memory that a known host takes", "KiB", Spread.of([weight / 1024])),
    )


def _known(folder: Path, count: int) -> tuple[KnownHost, ...]:
    """Return so many hosts as the product knows them: read from a store, nothing shared that it does not share."""
    desired = fleet.desired_state(count)
    fleet.enrol_all(folder / "reconciler.sqlite", desired)
    with open_site(Settings(data=folder)) as site:
        return known_hosts(site, desired)


def _bytes_per_host(folder: Path) -> float:
    desired = fleet.desired_state(_HOSTS_TO_WEIGH)
    fleet.enrol_all(folder / "reconciler.sqlite", desired)
    with open_site(Settings(data=folder)) as site:
        known_hosts(site, desired)  # what is made once and kept is not to be counted
        tracemalloc.start()
        try:
            hosts = known_hosts(site, desired)
            taken, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    return taken / len(hosts)


def _installed(host: KnownHost) -> dict[str, str]:
    assert host.observation is not None
    return {product.product_code: product.version for product in host.observation.products}


def _look_up_each(hosts: Sequence[KnownHost], installed: Sequence[dict[str, str]]) -> int:
    """Count what is not as it should be: the least that any plan must do, with the dictionaries made before."""
    lacking = 0
    for host, has in zip(hosts, installed, strict=True):
        for goal in host.assignment.goals:
            target = goal.target
            if not isinstance(target, MsiRelease) or has.get(target.product_code) != target.version:
                lacking += 1
    return lacking
