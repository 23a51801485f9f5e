"""Which entries of an environment follow the branch: those that an approved change holds, and no others."""

from __future__ import annotations

from reconciler.approval.admission import REWRITTEN, UNCLAIMED, AdmissionState
from reconciler.approval.entries import POLICY
from reconciler.desired.approvals import ApprovalPolicy
from tests.approval.branches import START, Branches, key

A, B, C = key("a"), key("b"), key("c")
NEEDED = "1 approval from managers required, 0 given"


def played(**values: object) -> Branches:
    return Branches.of(**({"a": 1, "b": 1} | values))


def test_what_alters_none_of_its_entries_is_followed_without_asking() -> None:
    branch = played()
    commit = branch.push({})
    found = branch.look()
    assert (found.commit, found.state, branch.decided) == (commit, AdmissionState.APPROVED, ())


def test_an_unapproved_entry_stays_as_it_was_with_the_reason() -> None:
    branch = played()
    commit = branch.merge(branch.propose({A: 2}))
    found = branch.look()
    assert (branch.value("a"), found.state, found.blocked) == (1, AdmissionState.UNAPPROVED, commit)
    assert found.reasons == (f"setting a: {NEEDED}",)


def test_an_approved_entry_comes_into_force() -> None:
    branch = played()
    commit = branch.merge(branch.propose({A: 2}), "@ann")
    found = branch.look()
    assert (branch.value("a"), found.state, found.commit) == (2, AdmissionState.APPROVED, commit)
    assert branch.decided[0].judgement.approvers == ("@ann",)
    branch.push({})
    assert (branch.look().commit, branch.value("a")) == (branch.main[-1], 2)


def test_an_unapproved_entry_holds_no_other_back() -> None:
    branch = played()
    branch.push({A: 2})
    branch.merge(branch.propose({B: 2}), "@ann")
    found = branch.look()
    assert (branch.value("a"), branch.value("b")) == (1, 2)
    assert (found.state, found.blocked) == (AdmissionState.UNAPPROVED, branch.main[1])


def test_an_approval_covers_what_the_change_alters_and_not_what_it_was_built_on() -> None:
    branch = played()
    branch.push({A: 2})
    branch.merge(branch.propose({B: 2}), "@ann")
    branch.look()
    assert branch.value("a") == 1


def test_a_merge_that_holds_another_value_than_the_head_is_not_covered() -> None:
    branch = played()
    head = branch.propose({A: 2})
    branch.merge(head, "@ann", besides={A: 3, C: 1})
    found = branch.look()
    assert (branch.value("a"), branch.value("c")) == (1, None)
    assert any("setting a" in reason and "another value" in reason for reason in found.reasons)
    assert any("setting c" in reason and UNCLAIMED in reason for reason in found.reasons)


def test_an_approval_survives_what_others_merge_meanwhile() -> None:
    branch = played()
    head = branch.propose({A: 2})
    branch.merge(branch.propose({B: 2}), "@ben")
    branch.look()
    branch.merge(head, "@ann")
    assert branch.look().state is AdmissionState.APPROVED
    assert (branch.value("a"), branch.value("b")) == (2, 2)


def test_both_orders_of_two_approved_changes_come_to_the_same() -> None:
    for order in ((0, 1), (1, 0)):
        branch = played()
        heads = [branch.propose({A: 2}), branch.propose({B: 2})]
        for index in order:
            branch.merge(heads[index], "@ann")
        branch.look()
        assert (branch.value("a"), branch.value("b")) == (2, 2)


def test_a_revert_sets_an_entry_free() -> None:
    branch = played()
    branch.push({A: 2})
    branch.look()
    branch.push({A: 1})
    assert branch.look().state is AdmissionState.APPROVED


def test_an_approval_of_what_was_reverted_does_not_cover_its_return() -> None:
    branch = played()
    branch.merge(branch.propose({A: 2}), "@ann")
    branch.look()
    branch.merge(branch.propose({A: 1}), "@ann")
    branch.look()
    branch.push({A: 2})
    assert branch.look().state is AdmissionState.UNAPPROVED
    assert branch.value("a") == 1


def test_the_same_holds_where_all_of_it_is_seen_in_one_look() -> None:
    branch = played()
    branch.push({B: 2})  # waits all the while, so that nothing is ever wholly in line
    for value in (2, 1):
        branch.merge(branch.propose({A: value}), "@ann")
    branch.push({A: 2})
    for _ in range(2):
        branch.look()
        assert branch.value("a") == 1


def test_an_approval_that_comes_after_the_revert_brings_nothing_back() -> None:
    branch = played()
    branch.push({B: 2})
    head = branch.propose({A: 2})
    commit = branch.merge(head)
    branch.look()
    branch.push({A: 1})
    branch.look()
    branch.came_by[commit] = branch.came_by[branch.merge(head, "@ann")]
    branch.main.pop()
    branch.look()
    assert branch.value("a") == 1


def test_an_approval_that_comes_after_the_merge_counts() -> None:
    branch = played()
    head = branch.propose({A: 2})
    commit = branch.merge(head)
    branch.look()
    branch.merge(head, "@ann")
    branch.came_by[commit] = branch.came_by[branch.main.pop()]
    assert branch.look().state is AdmissionState.APPROVED
    assert branch.value("a") == 2


def test_what_hides_in_a_commit_that_does_not_validate_is_not_approved_by_the_next() -> None:
    branch = played()
    branch.push(None)
    branch.main.append(branch.commit({**(branch.entries(START) or {}), A: 2, B: 2}, branch.main[-1]))
    branch.look()
    assert (branch.value("a"), branch.value("b")) == (1, 1)


def test_a_new_policy_is_judged_by_the_old_one() -> None:
    for approvers, policy in (((), ApprovalPolicy(1, ("managers",))), (("@ann",), ApprovalPolicy())):
        branch = played()
        branch.merge(branch.propose({POLICY: ApprovalPolicy(), A: 2}), *approvers)
        branch.look()
        assert branch.in_force()[POLICY] == policy
        assert branch.value("a") == (2 if approvers else 1)


def test_entries_that_do_not_fit_together_stay_out_and_hold_no_other_change_back() -> None:
    branch = played()
    branch.merge(branch.propose({POLICY: ApprovalPolicy(1, ("gone",))}), "@ann")
    branch.merge(branch.propose({B: 2}), "@ann")
    found = branch.look()
    assert branch.in_force()[POLICY] == ApprovalPolicy(1, ("managers",))
    assert branch.value("b") == 2
    assert any("no group gone" in reason for reason in found.reasons)


def test_a_forge_that_is_away_lets_nothing_through() -> None:
    branch = played()
    branch.merge(branch.propose({A: 2}), "@ann")
    branch.away = True
    assert branch.look().state is AdmissionState.AWAITING_EVIDENCE
    assert branch.value("a") == 1
    branch.away = False
    branch.look()
    assert branch.value("a") == 2


def test_after_a_force_push_only_what_is_approved_later_comes_into_force() -> None:
    branch = played()
    branch.push({})
    branch.look()
    branch.main = [START]
    branch.merge(branch.propose({A: 2}), "@ann")
    found = branch.look()
    assert (branch.value("a"), found.state, found.reasons[0]) == (1, AdmissionState.REWRITTEN, REWRITTEN)
    assert branch.look().state is AdmissionState.REWRITTEN
    branch.merge(branch.propose({B: 2}), "@ann")
    branch.look()
    assert (branch.value("a"), branch.value("b")) == (1, 2)
    branch.merge(branch.propose({A: 3}), "@ann")
    assert branch.look().state is AdmissionState.APPROVED
    assert branch.value("a") == 3


def test_a_rewritten_branch_that_asks_for_the_same_is_followed() -> None:
    branch = played()
    branch.push({})
    branch.look()
    branch.main = [START]
    branch.push({})
    assert (branch.look().commit, branch.now.state) == (branch.main[-1], AdmissionState.APPROVED)


def test_an_emergency_covers_what_it_alters_itself() -> None:
    branch = played()
    branch.push({A: 2})
    branch.emergencies.add(branch.push({B: 2}))
    found = branch.look()
    assert (branch.value("a"), branch.value("b"), found.state) == (1, 2, AdmissionState.UNAPPROVED)


def test_an_environment_that_demands_nothing_follows_whatever_validates() -> None:
    branch = played()
    branch.commits[START] = type(branch.commits[START])({key("a"): 1})
    branch.push({A: 2})
    branch.push(None)
    found = branch.look()
    assert (branch.value("a"), found.commit, found.catalog) == (2, branch.main[1], branch.main[1])
