"""The desired state of 1,000 to 100,000 hosts read from a commit: cold, after a restart, where little changed."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from yaml._yaml import CParser

from benchmarks.desired_commits import CHANGED, PACKAGES, Fleet, commit_fleet
from benchmarks.measure import Bound, Figure, Spread, cpu_seconds, progress, ratios, take_turns
from reconciler.desired.cache import LoadCache
from reconciler.desired.findings import render_text
from reconciler.desired.loading import DEFAULT_ROOT, load
from reconciler.desired.repository import GitRepository
from reconciler.kernel.errors import ReconcilerError

BOUND_AT = 10_000
"""The hosts for which there are bounds."""


@dataclass(frozen=True, slots=True)
class Size:
    """So many hosts, measured so often."""

    hosts: int
    rounds: int


SIZES = (Size(1_000, 9), Size(BOUND_AT, 9), Size(100_000, 3))


class NotLoaded(ReconcilerError):
    """The made-up desired state does not validate, or not all of it was read."""

    reference = "not-loaded"


def run() -> tuple[Figure, ...]:
    """Measure, and return the figures.

    Raises:
        NotLoaded: what was measured is not what it is said to be.
    """
    return tuple(figure for size in SIZES for figure in _measure(size))


def _measure(size: Size) -> tuple[Figure, ...]:
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as folder:
        progress(f"  committing {size.hosts:,} hosts and {PACKAGES} packages")
        fleet = commit_fleet(Path(folder), size.hosts, size.rounds + 1)
        file = Path(folder, "cache")
        _check(fleet, size, file)
        progress(f"  {size.rounds} rounds")
        kept = LoadCache()
        load(fleet.mirror, fleet.first, cache=kept)
        later = iter(fleet.later)
        taken = take_turns(
            size.rounds,
            {
                "cold": lambda: cpu_seconds(lambda: load(fleet.mirror, fleet.first)),
                "floor": lambda: cpu_seconds(lambda: _read_and_parse(fleet.mirror, fleet.first)),
                "restart": lambda: cpu_seconds(lambda: load(fleet.mirror, fleet.first, cache=LoadCache(file))),
                "commit": lambda: cpu_seconds(lambda: load(fleet.mirror, next(later), cache=kept)),
            },
        )
    bounds = (Bound(2, at_most=True), Bound(10, at_most=False), Bound(40, at_most=False))
    cold, restart, commit = bounds if size.hosts == BOUND_AT else (None, None, None)
    files, hosts = size.hosts + PACKAGES, f"{size.hosts:,} hosts:"
    against, few = f"{hosts} cold load ÷", f"a commit that changes {CHANGED} files"
    per_file = Spread.of(seconds / files * 1e6 for seconds in taken["cold"])
    return (
        Figure(f"{against} bytes out of git and one parse", "", ratios(taken["cold"], taken["floor"]), cold),
        Figure(f"{against} load after a restart", "", ratios(taken["cold"], taken["restart"]), restart),
        Figure(f"{against} {few}", "", ratios(taken["cold"], taken["commit"]), commit),
        Figure(f"{hosts} cold load, processor time a file", "µs", per_file),
        Figure(f"{hosts} load after a restart", "ms", Spread.of(s * 1e3 for s in taken["restart"])),
        Figure(f"{hosts} {few}", "ms", Spread.of(s * 1e3 for s in taken["commit"])),
    )


def _check(fleet: Fleet, size: Size, file: Path) -> None:
    """See that the loads come to all of it, whichever way; and leave the file for a restart."""
    plain = load(fleet.mirror, fleet.first)
    if plain.state is None or (len(plain.state.hosts), len(plain.state.packages)) != (size.hosts, PACKAGES):
        raise NotLoaded(f"the desired state was not loaded:\n{render_text(plain.findings[:3])}")
    for _ in range(2):
        if load(fleet.mirror, fleet.first, cache=LoadCache(file)) != plain:
            raise NotLoaded("with a cache the desired state is another one")


def _read_and_parse(repository: GitRepository, commit: str) -> None:
    """Do what no reader of YAML out of git can go without: every object once, every event once."""
    for entry in repository.entries(commit, DEFAULT_ROOT) or ():
        next_event = CParser(repository.read(entry.oid)).get_event
        while next_event() is not None:
            pass
