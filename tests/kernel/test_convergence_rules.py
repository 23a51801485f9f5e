"""Rules that no assignment and no observation may break."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from reconciler.kernel.artifact import Artifact
from reconciler.kernel.assignment import Assignment, Goal
from reconciler.kernel.attempts import CHARGED, Attempt, Cause, Outcome, Tally, cause_of, count
from reconciler.kernel.convergence import converge
from reconciler.kernel.observation import Context, InstalledProduct, Observation, ProductState
from reconciler.kernel.releases import MsiRelease
from reconciler.kernel.retries import BACKOFFS, next_try_at
from reconciler.kernel.steps import Step, StepKind, Verb

NOW = 1_000_000.0
VERSIONS = ("1.0.0", "1.0.0.5", "1.1.0", "2.0.0", "2.0.1", "3.0.0")


def release(package: str, version: str) -> MsiRelease:
    """Make a release; 2.0.1 is a minor update of 2.0.0, so they share a product code."""
    product = f"{package}-product-{version if version != '2.0.1' else '2.0.0'}"
    return MsiRelease(
        version, product, f"{package}-package-{version}", Artifact(version * 9, 10, f"{package}.msi")
    )


@st.composite
def goals(draw: st.DrawFn, package: str) -> Goal:
    releases = [release(package, version) for version in VERSIONS]
    target = draw(st.none() | st.sampled_from(releases))
    others = draw(st.lists(st.sampled_from([r for r in releases if r is not target]), unique=True))
    return Goal(package, f"{package}-upgrade", target, tuple(others), fingerprint=f"{package}-goal")


@st.composite
def products(draw: st.DrawFn) -> tuple[InstalledProduct, ...]:
    found: dict[str, InstalledProduct] = {}
    for package in ("app", "tool", "stranger"):
        for version in draw(st.lists(st.sampled_from((*VERSIONS, "9.0.0")), max_size=3, unique=True)):
            known = release(package, version)
            found[known.product_code] = InstalledProduct(
                known.product_code,
                version,
                package,
                draw(st.sampled_from([known.package_code, None])),
                draw(st.sampled_from([f"{package}-upgrade", None])),
                draw(st.sampled_from(Context)),
                draw(st.sampled_from(ProductState)),
            )
    return tuple(found.values())


tallies = st.builds(
    Tally,
    package=st.sampled_from(["app", "tool"]),
    goal=st.sampled_from(["app-goal", "tool-goal", "older"]),
    failures=st.integers(0, 12),
    last_ended_at=st.floats(NOW - 10_000, NOW),
    last_outcome=st.sampled_from([o for o in Outcome if o not in (Outcome.SUCCEEDED,)]),
    waits=st.integers(0, 2000),
    cause=st.none() | st.sampled_from(Cause),
)
observations = st.builds(
    Observation,
    products=products(),
    reboot_pending=st.sampled_from([(), (), ("CBS",)]),
    tallies=st.lists(tallies, max_size=2).map(tuple),
)
assignments = st.tuples(goals("app"), goals("tool")).map(lambda found: Assignment("H", "prod", "c0ffee", found))


def touched(step: Step) -> set[str]:
    return {action.product_code for action in (*step.actions, *step.compensation)} | set(step.removes)


@given(assignments, observations)
def test_only_what_is_declared_is_touched(assignment: Assignment, observed: Observation) -> None:
    for standing in converge(assignment, observed, NOW).standings:
        if standing.step is not None:
            assert not any("stranger" in code for code in touched(standing.step))
            assert all(standing.package in code for code in touched(standing.step))


@given(assignments, observations)
def test_the_same_facts_give_the_same_decision_and_one_step_at_a_time(
    assignment: Assignment, observed: Observation
) -> None:
    decision = converge(assignment, observed, NOW)
    assert decision == converge(assignment, observed, NOW)
    ready = [standing.step for standing in decision.standings if standing.ready]
    assert decision.step == (ready[0] if ready else None)


@given(assignments, observations)
def test_nothing_starts_while_a_reboot_is_pending(assignment: Assignment, observed: Observation) -> None:
    assert converge(assignment, replace(observed, reboot_pending=("CBS",)), NOW).step is None


@given(assignments, observations)
def test_nothing_is_removed_unless_it_is_to_be_absent_or_stands_in_the_targets_way(
    assignment: Assignment, observed: Observation
) -> None:
    for goal, standing in zip(assignment.goals, converge(assignment, observed, NOW).standings, strict=True):
        if standing.step is None or goal.target is None:
            continue
        if standing.step.kind is StepKind.REMOVE:
            present = {p.product_code for p in observed.products}
            assert goal.target.product_code in present, "only a second copy goes, once the wanted one is there"
        else:
            last = standing.step.actions[-1]
            assert last.verb in (Verb.INSTALL, Verb.REINSTALL)
            assert last.release == goal.target, "a step that takes something away ends by bringing the target"


@given(assignments, observations)
def test_what_a_change_takes_away_it_can_put_back(assignment: Assignment, observed: Observation) -> None:
    for standing in converge(assignment, observed, NOW).standings:
        step = standing.step
        if step is None or not standing.ready or step.kind not in (StepKind.ROLL_BACK, StepKind.REPLACE):
            continue
        removed = {action.product_code for action in step.actions if action.verb is Verb.REMOVE}
        assert removed == {action.product_code for action in step.compensation}
        assert {action.release for action in step.compensation} <= set(step.artifacts)


@given(assignments, observations)
def test_another_users_product_is_left_to_a_person(assignment: Assignment, observed: Observation) -> None:
    codes = {p.product_code for p in observed.products if p.context is Context.USER}
    step = converge(assignment, observed, NOW).step
    assert step is None or not codes & {a.product_code for a in step.actions if a.verb is Verb.REMOVE}


@given(assignments, observations)
def test_tries_are_bounded_and_a_new_goal_starts_afresh(assignment: Assignment, observed: Observation) -> None:
    for goal, standing in zip(assignment.goals, converge(assignment, observed, NOW).standings, strict=True):
        tally = next((t for t in reversed(observed.tallies) if t.package == goal.package), None)
        if tally is None or tally.goal != goal.fingerprint:
            continue
        if standing.ready:
            due = next_try_at(tally, assignment.host)
            assert due is not None
            assert due <= NOW
            most = BACKOFFS[cause_of(tally)].most
            assert most is None or tally.failures < most


@given(st.lists(st.sampled_from([o for o in Outcome if not o.value.startswith("succeeded")]), min_size=1))
def test_only_charged_attempts_are_counted(outcomes: list[Outcome]) -> None:
    tally: Tally | None = None
    for number, outcome in enumerate(outcomes):
        tally = count(
            tally,
            Attempt(str(number), "app", StepKind.INSTALL, "g", "c", NOW, ended_at=NOW + number, outcome=outcome),
        )
    assert tally is not None
    assert tally.failures == sum(outcome in CHARGED for outcome in outcomes)
    assert (tally.failure is None) == (tally.failures == 0)
    assume(tally.failures < 8)
    due = next_try_at(tally, "H")
    assert due is not None
    assert 30.0 <= due - tally.last_ended_at <= 3600.0 * 1.1
