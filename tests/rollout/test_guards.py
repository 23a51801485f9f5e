"""Guards: a removal that would hit many hosts at once waits until somebody confirms it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.kernel.artifact import Artifact
from reconciler.kernel.assignment import Assignment, Goal
from reconciler.kernel.observation import InstalledProduct, Observation
from reconciler.kernel.releases import MsiRelease
from reconciler.rollout.guards import NOT_REPORTED, GuardedHost, held_removals, hold_back

RELEASE = MsiRelease("1.0.0", "product", "package", Artifact("0" * 64, 1, "a.msi"))
REMOVAL = Goal("tool", "upgrade", None, (RELEASE,))
HAS_IT = Observation((InstalledProduct("product", "1.0.0", "Tool", "package", "upgrade"),))
HAS_NOT = Observation()
NONE_CONFIRMED: frozenset[tuple[str, str]] = frozenset()


def hosts(having: int, of: int, environment: str = "prod", goal: Goal = REMOVAL) -> list[GuardedHost]:
    return [
        GuardedHost(Assignment(f"H{n}", environment, "c0ffee", (goal,)), HAS_IT if n < having else HAS_NOT)
        for n in range(of)
    ]


def test_a_few_may_lose_it() -> None:
    assert held_removals(hosts(2, 10), {"prod": 0.25}, NONE_CONFIRMED) == {}


def test_many_wait_and_are_told_what_to_do() -> None:
    held = held_removals(hosts(3, 10), {"prod": 0.25}, NONE_CONFIRMED)
    assert held[("prod", "tool")].startswith("3 of 10 hosts of prod would lose tool at once, more than 25%")


def test_a_confirmed_removal_goes_ahead() -> None:
    assert held_removals(hosts(10, 10), {"prod": 0.25}, frozenset({("prod", "tool")})) == {}


def test_a_confirmation_is_for_its_environment_only() -> None:
    assert held_removals(hosts(10, 10), {"prod": 0.25}, frozenset({("dev", "tool")}))


def test_one_host_may_always_lose_it() -> None:
    assert held_removals(hosts(1, 1), {"prod": 0.25}, NONE_CONFIRMED) == {}
    assert held_removals(hosts(1, 3), {"prod": 0.0}, NONE_CONFIRMED) == {}


def test_environments_are_counted_apart() -> None:
    everybody = hosts(5, 10, "prod") + hosts(1, 10, "dev")
    assert set(held_removals(everybody, {"prod": 0.25}, NONE_CONFIRMED)) == {("prod", "tool")}


def test_what_stays_is_not_counted() -> None:
    stays = Goal("tool", "upgrade", RELEASE)
    assert held_removals(hosts(10, 10, goal=stays), {"prod": 0.25}, NONE_CONFIRMED) == {}


def test_only_held_removals_are_marked_and_the_rest_stays_shared() -> None:
    stays = Goal("other", "upgrade-2", RELEASE)
    goals = (stays, REMOVAL)
    assert hold_back(goals, "prod", {}, reported=True) is goals
    marked = hold_back(goals, "prod", {("prod", "tool"): "wait"}, reported=True)
    assert [goal.awaits for goal in marked] == ["", "wait"]


def test_nothing_is_removed_from_a_host_before_its_first_report() -> None:
    assert [g.awaits for g in hold_back((REMOVAL,), "prod", {}, reported=False)] == [NOT_REPORTED]


@given(st.integers(0, 30), st.integers(1, 30), st.floats(0, 1))
def test_never_more_than_the_share_without_confirmation(having: int, of: int, share: float) -> None:
    having = min(having, of)
    held = held_removals(hosts(having, of), {"prod": share}, NONE_CONFIRMED)
    if not held:
        assert having <= max(1, share * of)
