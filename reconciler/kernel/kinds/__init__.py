"""What a host has of a package and what it still takes, for each kind of package. Pure: facts in, steps out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from reconciler.kernel.assignment import Goal
from reconciler.kernel.kinds.configuration import find_configuration
from reconciler.kernel.kinds.finding import Finding
from reconciler.kernel.kinds.msi import find_product, group_families
from reconciler.kernel.kinds.patch import find_patch
from reconciler.kernel.kinds.program import find_program
from reconciler.kernel.observation import Facts
from reconciler.kernel.releases import PackageKind

__all__ = ["Finding", "find_packages"]


def find_packages(goals: Iterable[Goal], facts: Facts) -> dict[str, Finding]:
    """Return what a host has of each goal's package, and the step it still takes.

    Args:
        goals: what the host should have, all of it: packages may concern the same products.
        facts: what it has.
    """
    goals = tuple(goals)
    families = group_families(goals, facts.products)
    answers = facts.by_probe
    found: dict[str, Finding] = {}
    for goal in goals:
        match goal.kind:
            case PackageKind.MSI:
                found[goal.package] = find_product(goal, families[goal.package])
            case PackageKind.MSP:
                found[goal.package] = find_patch(goal, goals, facts)
            case PackageKind.EXE:
                found[goal.package] = find_program(goal, answers)
            case PackageKind.CONFIGURATION:
                found[goal.package] = find_configuration(goal, answers)
            case _:
                assert_never(goal.kind)
    return found
