"""Assignments: whose versions go before whose, and what makes a digest new."""

from __future__ import annotations

from dataclasses import replace

from reconciler.desired.catalog import Package
from reconciler.desired.model import ABSENT, DesiredState, Environment, Host
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.assignment import Hold
from reconciler.kernel.releases import MsiRelease
from reconciler.rollout.assignments import Assigned, Assigner


def release(version: str) -> MsiRelease:
    return MsiRelease(version, f"product-{version}", f"package-{version}", Artifact(version * 8, 1, "a.msi"))


APP = Package("app", "upgrade", (release("1.0.0"), release("2.0.0")))
STATE = DesiredState(
    "c1",
    {"app": APP},
    {"dev": Environment("dev", packages={"app": "2.0.0"}), "prod": Environment("prod", packages={"app": "1.0.0"})},
    {
        "PROD-01": Host("PROD-01", "prod"),
        "PROD-02": Host("PROD-02", "prod", packages={"app": ABSENT}),
    },
)


def assigned(state: DesiredState, host: str, enrolled_into: str | None = None) -> Assigned:
    return Assigner(state).assign(host, enrolled_into)


def version(found: Assigned) -> str | None:
    (goal,) = found.assignment.goals
    return goal.target.version if goal.target else None


def test_a_host_takes_its_environments_versions() -> None:
    assert version(assigned(STATE, "prod-01")) == "1.0.0"


def test_its_own_go_before_them() -> None:
    assert version(assigned(STATE, "PROD-02")) is None


def test_a_host_without_a_file_takes_those_of_the_environment_it_enrolled_into() -> None:
    assert version(assigned(STATE, "NEW-01", "dev")) == "2.0.0"


def test_a_file_goes_before_enrolment() -> None:
    assert assigned(STATE, "PROD-01", "dev").assignment.environment == "prod"


def test_a_host_of_no_environment_is_assigned_nothing() -> None:
    assert assigned(STATE, "NEW-01", "gone").assignment.goals == ()


def test_hosts_that_should_have_the_same_share_goals_and_digest() -> None:
    assigner = Assigner(STATE)
    one, other = assigner.assign("A", "dev"), assigner.assign("B", "dev")
    assert one.digest == other.digest
    assert one.assignment.goals is other.assignment.goals


def test_a_commit_that_changes_nothing_for_a_host_keeps_its_digest() -> None:
    later = replace(STATE, revision="c2")
    assert assigned(later, "PROD-01").digest == assigned(STATE, "PROD-01").digest
    assert assigned(later, "PROD-01").assignment.revision == "c2"


def test_another_release_in_the_catalog_makes_the_assignment_new_but_not_the_goal() -> None:
    more = replace(STATE, packages={"app": replace(APP, releases=(*APP.releases, release("3.0.0")))})
    before, after = assigned(STATE, "PROD-01"), assigned(more, "PROD-01")
    assert before.digest != after.digest
    assert before.assignment.goals[0].fingerprint == after.assignment.goals[0].fingerprint


def test_another_target_makes_the_goal_new() -> None:
    dev, prod = assigned(STATE, "A", "dev"), assigned(STATE, "A", "prod")
    assert dev.assignment.goals[0].fingerprint != prod.assignment.goals[0].fingerprint


def test_where_an_environment_prunes_what_was_managed_and_is_named_no_longer_goes() -> None:
    dropped = replace(STATE, environments={"dev": Environment("dev", prune=True)}, hosts={})
    (goal,) = Assigner(dropped).assign("A", "dev", managed=["app", "gone-from-the-catalog"]).assignment.goals
    assert (goal.package, goal.target) == ("app", None)
    kept = replace(STATE, environments={"dev": Environment("dev")}, hosts={})
    assert Assigner(kept).assign("A", "dev", managed=["app"]).assignment.goals == ()


def test_a_hold_comes_along_and_makes_the_assignment_new() -> None:
    hold = Hold("audit week", 5.0)
    held = replace(STATE, hosts={**STATE.hosts, "PROD-01": Host("PROD-01", "prod", hold=hold)})
    assert assigned(held, "PROD-01").assignment.hold == hold
    assert assigned(held, "PROD-01").digest != assigned(STATE, "PROD-01").digest
