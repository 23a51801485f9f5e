"""How far an environment goes along the branch. Whatever people push, only what was approved reaches it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.approval.admission import REWRITTEN, Admission, AdmissionState, Decision, Line, admit
from reconciler.approval.concerns import Concerns
from reconciler.approval.evidence import Approval, Change, Evidence
from reconciler.approval.policy import Judgement, judge
from reconciler.desired.approvals import ApprovalPolicy
from reconciler.desired.catalog import Package
from reconciler.desired.model import DesiredState, Environment, Host
from reconciler.desired.people import People
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.releases import MsiRelease
from tests.properties import examples

GROUPS = {"managers": ("@ann", "@ben")}
PEOPLE = People({}, GROUPS)


def release(version: str) -> MsiRelease:
    code = f"{{00000000-0000-0000-0000-{int(version.replace('.', '')):012}}}"
    return MsiRelease(version, code, code, Artifact(version.replace(".", "") * 20, 1, "x.msi"))


VERSIONS = ("1.0.0", "2.0.0", "3.0.0")
APP = Package("app", "", tuple(release(version) for version in VERSIONS[:2]))
GROWN = replace(APP, releases=tuple(release(version) for version in VERSIONS))


def state(
    commit: str, *, prod: str = "1.0.0", dev: str = "1.0.0", app: Package = APP, required: int = 1
) -> DesiredState:
    policy = ApprovalPolicy(required, ("managers",)) if required else ApprovalPolicy()
    return DesiredState(
        commit,
        {"app": app},
        {
            "dev": Environment("dev", packages={"app": dev}),
            "prod": Environment("prod", packages={"app": prod}, approvals=policy),
        },
        groups=GROUPS,
    )


@dataclass
class Branch:
    """A branch, what each commit says, and who approved it. Judges by the real policy."""

    states: dict[str, DesiredState | None] = field(default_factory=dict)
    approved: dict[str, tuple[str, ...]] = field(default_factory=dict)
    emergencies: frozenset[str] = frozenset()
    away: bool = False
    placed: Mapping[str, str] = field(default_factory=dict)

    def walk(
        self, commits: tuple[str, ...], start: Admission | None = None, *, rewritten: bool = False
    ) -> tuple[Admission, tuple[Decision, ...]]:
        begin = start or Admission("prod", "0", "0")
        line = Line(commits, self.states.__getitem__, lambda s, e: Concerns(s, self.placed).of(e), rewritten)
        return admit(begin, line, self)

    def judge(self, commit: str, environment: str, approved: DesiredState) -> Decision:
        if self.away:
            return Decision(environment, commit, Judgement(approved=False, reasons=("away",)), known=False)
        approvals = tuple(Approval(by, commit) for by in self.approved.get(commit, ()))
        change = Change("#1", "", "", "@dora", commit, 0.0, approvals)
        policy = approved.approvals_for(environment)
        return Decision(environment, commit, judge(policy, PEOPLE, "", Evidence(commit, change)))

    def emergency(self, commit: str, environment: str, approved: DesiredState) -> Decision | None:
        if commit not in self.emergencies:
            return None
        return Decision(environment, commit, Judgement(approved=True, emergency="now"))


def branch(*states: DesiredState | None, **approved: tuple[str, ...]) -> Branch:
    made: dict[str, DesiredState | None] = {"0": state("0")}
    for number, found in enumerate(states, 1):
        made[str(number)] = replace(found, revision=str(number)) if found is not None else None
    return Branch(made, {name[1:]: by for name, by in approved.items()})


def test_what_does_not_concern_it_lets_it_go_on() -> None:
    found, decided = branch(state("1", dev="2.0.0")).walk(("1",))
    assert (found.commit, found.state, decided) == ("1", AdmissionState.APPROVED, ())


def test_an_unapproved_commit_leaves_it_where_it_was_with_the_reason() -> None:
    found, _ = branch(state("1", prod="2.0.0"), state("2", prod="2.0.0", dev="2.0.0")).walk(("1", "2"))
    assert (found.commit, found.examined) == ("0", "2")
    assert (found.state, found.blocked) == (AdmissionState.UNAPPROVED, "1")
    assert found.reasons == ("it needs 1 approval by managers, and has none",)


def test_an_approved_one_takes_it_along() -> None:
    found, decided = branch(state("1", prod="2.0.0"), _1=("@ann",)).walk(("1",))
    assert (found.commit, found.state) == ("1", AdmissionState.APPROVED)
    assert decided[0].judgement.approvers == ("@ann",)


def test_an_approval_of_what_comes_after_does_not_cover_what_came_before() -> None:
    there = branch(state("1", prod="2.0.0"), state("2", prod="3.0.0", app=GROWN), _2=("@ann",))
    found, _ = there.walk(("1", "2"))
    assert (found.commit, found.blocked) == ("0", "1")


def test_what_was_taken_back_stands_in_nobodys_way() -> None:
    there = branch(state("1", prod="2.0.0"), state("2"), state("3", prod="2.0.0"), _3=("@ann",))
    assert there.walk(("1", "2"))[0] == Admission("prod", "2", "2")
    assert there.walk(("1", "2", "3"))[0].commit == "3"


def test_one_that_does_not_validate_is_judged_with_the_next() -> None:
    there = branch(None, state("2", prod="2.0.0"), _2=("@ann",))
    assert there.walk(("1", "2"))[0].blocked == "1"
    there.approved["1"] = ("@ben",)
    assert there.walk(("1", "2"))[0].commit == "2"


def test_a_release_that_the_catalog_gains_needs_no_approval_and_changes_nothing_there() -> None:
    there = branch(state("1", app=GROWN), state("2", app=GROWN, prod="3.0.0"), _2=("@ann",))
    found, decided = there.walk(("1",))
    assert (found.commit, found.state, decided) == ("0", AdmissionState.APPROVED, ())
    assert there.walk(("2",), found)[0].commit == "2"


def test_a_change_of_a_release_that_it_uses_concerns_it() -> None:
    other = replace(APP, releases=(replace(APP.releases[0], properties={"A": "1"}), APP.releases[1]))
    assert branch(state("1", app=other)).walk(("1",))[0].state is AdmissionState.UNAPPROVED


@pytest.mark.parametrize("after", [state("1", required=0), replace(state("1"), groups={"managers": ("@eve",)})])
def test_who_may_approve_is_changed_only_by_who_may_approve(after: DesiredState) -> None:
    assert branch(after).walk(("1",))[0].state is AdmissionState.UNAPPROVED
    assert branch(after, _1=("@ann",)).walk(("1",))[0].commit == "1"


def test_a_file_that_takes_an_agents_host_away_concerns_the_environment_it_leaves() -> None:
    moved = replace(state("1"), hosts={"PC-1": Host("PC-1", "dev")})
    there = branch(moved)
    assert there.walk(("1",))[0].state is AdmissionState.APPROVED
    there.placed = {"PC-1": "prod"}
    assert there.walk(("1",))[0].state is AdmissionState.UNAPPROVED


def test_an_environment_that_goes_needs_the_approval_that_it_asked_for() -> None:
    gone = replace(state("1"), environments={"dev": state("1").environments["dev"]})
    assert branch(gone).walk(("1",))[0].state is AdmissionState.UNAPPROVED
    assert branch(gone, _1=("@ann",)).walk(("1",))[0].commit == "1"


def test_a_new_environment_is_judged_by_what_holds_for_all() -> None:
    before = replace(state("0"), approvals=ApprovalPolicy(1, ("managers",)))
    more = {**before.environments, "new": Environment("new", approvals=ApprovalPolicy())}
    there = branch(replace(before, environments=more))
    there.states["0"] = before
    assert there.walk(("1",), Admission("new", "0", "0"))[0].state is AdmissionState.UNAPPROVED


def test_a_forge_that_is_away_lets_nothing_through() -> None:
    there = branch(state("1", prod="2.0.0"), _1=("@ann",))
    there.away = True
    found, _ = there.walk(("1",))
    assert (found.commit, found.state) == ("0", AdmissionState.AWAITING_EVIDENCE)
    there.away = False
    assert there.walk(("1",), found)[0].commit == "1"


def test_a_rewritten_branch_is_held_however_well_its_commits_are_approved() -> None:
    there = branch(state("1", prod="2.0.0"), _1=("@ann",))
    found, _ = there.walk(("1",), rewritten=True)
    assert (found.commit, found.state, found.reasons) == ("0", AdmissionState.REWRITTEN, (REWRITTEN,))


def test_a_rewritten_branch_that_asks_for_the_same_is_followed() -> None:
    assert branch(state("1")).walk(("1",), rewritten=True)[0] == Admission("prod", "1", "1")


def test_an_emergency_takes_it_past_whatever_blocks() -> None:
    there = branch(state("1", prod="2.0.0"), state("2", prod="3.0.0", app=GROWN))
    there.emergencies = frozenset({"2"})
    for rewritten in (False, True):
        found, decided = there.walk(("1", "2"), rewritten=rewritten)
        assert (found.commit, found.state) == ("2", AdmissionState.APPROVED)
        assert decided[-1].judgement.emergency == "now"


@dataclass(frozen=True)
class Push:
    """One commit: what it says, by whom it is approved, and whether it is pushed over the last ``back`` ones."""

    prod: str | None
    dev: str
    approved: bool
    back: int


pushes = st.lists(
    st.builds(
        Push,
        st.sampled_from([*VERSIONS[:2], None]),
        st.sampled_from(VERSIONS[:2]),
        st.booleans(),
        st.integers(0, 2),
    ),
    max_size=9,
)


def agreed(line: list[Push], was: str, becomes: str) -> bool:
    """Return whether people agreed step by step to get from one version to another somewhere along a line."""
    for start, first in enumerate(line):
        version = first.prod
        if version != was:
            continue
        for push in line[start + 1 :]:
            if push.prod != version and not push.approved:
                break
            version = push.prod or version
            if version == becomes:
                return True
    return False


@examples(500)
@given(pushes, st.data())
def test_nothing_unapproved_gets_through_whatever_is_pushed(history: list[Push], data: st.DataObject) -> None:
    """A look comes after any number of pushes; force pushes take commits off the branch again."""
    there = branch()
    line, told = ["0"], {"0": Push("1.0.0", "1.0.0", approved=True, back=0)}
    now = Admission("prod", "0", "0")
    for number, push in enumerate(history, 1):
        del line[max(1, len(line) - push.back) :]
        name = str(number)
        line.append(name)
        told[name] = push
        there.states[name] = state(name, prod=push.prod, dev=push.dev) if push.prod is not None else None
        if push.approved:
            there.approved[name] = ("@ann",)
        if not data.draw(st.booleans(), label="look"):
            continue
        begin = now.examined if now.state is AdmissionState.APPROVED else now.commit
        rewritten = begin not in line
        commits = tuple(line if rewritten else line[line.index(begin) + 1 :])
        was = told[now.commit].prod
        now, _ = there.walk(commits, now, rewritten=rewritten)
        becomes = told[now.commit].prod
        assert was is not None
        assert becomes is not None
        passed = [told[commit] for commit in (commits if rewritten else (begin, *commits))]
        assert becomes == was or agreed(passed, was, becomes)
        wanted = next((p.prod for p in reversed([told[c] for c in line]) if p.prod is not None), None)
        if now.state is AdmissionState.APPROVED:
            assert becomes == wanted, "whatever is not held back follows the branch"
