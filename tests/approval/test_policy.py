"""What counts as an approval: facts in, verdict out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.approval.evidence import Approval, Change, CheckState, Evidence
from reconciler.approval.policy import Judgement, judge
from reconciler.desired.approvals import ApprovalPolicy, Person
from reconciler.desired.people import People

HEAD, OLDER = "a" * 40, "b" * 40
KEY = "key:SHA256:ben"
PEOPLE = People(
    {
        "ann": Person("ann", ("@ann", "Ann@Example.com")),
        "ben": Person("ben", ("@Ben", "ben@example.com")),
    },
    {"managers": ("@ann", "@ben", "@cara", "@contoso/everybody"), "on-call": ("@ben",)},
)
ONE = ApprovalPolicy(1, ("managers",))
TWO = replace(ONE, required=2)


def change(*approved_by: str, **facts: object) -> Change:
    approvals = tuple(Approval(by, HEAD) for by in approved_by)
    made = Change("#1", "", "title", "@dora", HEAD, 0.0, approvals, authors=("@dora",), pushers=("@dora",))
    return replace(made, **facts)


def verdict(policy: ApprovalPolicy, found: Change | None, **facts: object) -> Judgement:
    return judge(policy, PEOPLE, "on-call", replace(Evidence("c" * 40, found), **facts))


def test_what_demands_nothing_needs_no_evidence() -> None:
    assert judge(ApprovalPolicy(), PEOPLE, "", Evidence("c" * 40)).approved


def test_as_many_members_as_required_approve_whatever_they_are_called() -> None:
    assert verdict(TWO, change("@BEN", "@cara")) == Judgement(approved=True, approvers=("ben", "@cara"))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (change(), "1 approval from managers required, 0 given"),
        (None, "it was pushed straight to the branch: no change, so nobody approved it"),
        (change("@eve"), "@eve approved it, and is not in managers"),
        (change("@ann", requester="@ann"), "ann approved it, and wrote a part of it or asked for it"),
        (change("@ann", authors=("ann@example.com",)), "ann approved it, and wrote a part of it or asked for it"),
        (change("@ben", pushers=("ben@example.com",)), "ben approved it, and pushed to it last"),
        (
            change(approvals=(Approval("@ann", OLDER),)),
            "ann approved bbbbbbbbbb, and aaaaaaaaaa was pushed after that",
        ),
        (
            change(approvals=(Approval("@ann", ""),)),
            "ann approved it, and the forge does not tell for which commit",
        ),
        (change("@ann", rejections=("@cara",)), "@cara rejects it"),
    ],
)
def test_what_does_not_count_is_told(found: Change | None, reason: str) -> None:
    judged = verdict(ONE, found)
    assert not judged.approved
    assert reason in judged.reasons


def test_one_person_by_two_names_is_one() -> None:
    judged = verdict(TWO, change("@ann", "ANN@example.com"))
    assert judged.reasons == ("2 approvals from managers required, 1 given (by ann)",)


def test_who_wrote_a_part_by_git_does_not_approve_it() -> None:
    assert not verdict(ONE, change("@ann"), authors=("ann@example.com",)).approved


def test_a_rejection_by_somebody_else_is_no_veto() -> None:
    assert verdict(ONE, change("@ann", rejections=("@eve",))).approved


def test_an_approval_of_an_older_commit_counts_where_the_policy_says_so() -> None:
    kept = replace(ONE, voided_by_push=False)
    assert verdict(kept, change(approvals=(Approval("@ann", OLDER),))).approved


def test_a_later_approval_of_the_head_makes_up_for_an_older_one() -> None:
    both = change(approvals=(Approval("@ann", OLDER), Approval("@ann", HEAD)))
    assert verdict(ONE, both).approved


def test_whoever_signed_a_part_does_not_approve_it_whatever_the_author_field_says() -> None:
    people = _Signed({"ann": Person("ann", ("@ann",))}, {"managers": ("@ann",)}, "ann")
    found = judge(ONE, people, "", Evidence("c" * 40, change("@ann"), ("dora@example.com",), signers=(KEY,)))
    assert found.reasons[1] == "ann approved it, and wrote a part of it or asked for it"


def test_an_approval_from_before_a_retarget_does_not_count() -> None:
    given = change(approvals=(Approval("@ann", HEAD, retargeted=True),))
    why = "ann approved it before its target branch was changed, or the forge does not say"
    assert why in verdict(ONE, given).reasons


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (CheckState.FAILED, "the check build has failed"),
        (CheckState.PENDING, "the check build has not finished"),
        (None, "the check build was never reported"),
    ],
)
def test_required_checks_must_have_passed(state: CheckState | None, words: str) -> None:
    policy = replace(ONE, checks=("build",))
    checks = {"build": state} if state is not None else {"other": CheckState.PASSED}
    assert verdict(policy, change("@ann", checks=checks)).reasons == (words,)
    assert verdict(policy, change("@ann", checks={"build": CheckState.PASSED})).approved


def test_every_commit_must_be_signed_by_somebody_known() -> None:
    policy = replace(ONE, signed=True)
    people = People({"ben": Person("ben", ("@ben",), ())}, {"managers": ("@ann",)})
    assert "no good signature" in verdict(policy, change("@ann"), unsigned=(HEAD,)).reasons[0]
    stranger = judge(policy, people, "", Evidence("c" * 40, change("@ann"), signers=(KEY,)))
    assert "a key of nobody" in stranger.reasons[0]


class _Signed(People):
    """People, one of whom has the key."""

    def __init__(self, people: dict[str, Person], groups: dict[str, tuple[str, ...]], owner: str = "ben") -> None:
        super().__init__(people, groups)
        self._owner = owner

    def who(self, identity: str) -> str:
        return self._owner if identity == KEY else super().who(identity)


SIGNED = _Signed({"ben": Person("ben", ("@ben",))}, {"managers": ("@ann",), "on-call": ("@ben",), "others": ()})


def test_an_emergency_signed_by_the_group_passes_and_says_so() -> None:
    evidence = Evidence("c" * 40, emergency="the site is down", signer=KEY)
    assert judge(TWO, SIGNED, "on-call", evidence) == Judgement(
        approved=True, approvers=("ben",), emergency="the site is down"
    )


@pytest.mark.parametrize(
    ("group", "signer", "reason"),
    [
        ("", KEY, "it claims an emergency, and reconciler.yaml names no group for that"),
        ("on-call", "", "it claims an emergency, and carries no good signature: a member of on-call must sign it"),
        ("others", KEY, "it claims an emergency, and ben, who signed it, is not in others"),
    ],
)
def test_an_emergency_is_not_taken_on_trust(group: str, signer: str, reason: str) -> None:
    judged = judge(TWO, SIGNED, group, Evidence("c" * 40, emergency="hurry", signer=signer))
    assert not judged.approved
    assert judged.reasons[0] == reason
