"""Of each reviewer the last word counts, and of several checks of one name the worst."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.approval.evidence import CheckReport, CheckState
from reconciler.approval.standing import Review, Word, gather, standing

PEOPLE = st.sampled_from(["@ann", "@ben", "@cleo"])
REVIEWS = st.lists(st.builds(Review, PEOPLE, st.sampled_from(Word), st.sampled_from(["one", "two"])))


@given(REVIEWS)
def test_the_last_word_of_each_counts(reviews: list[Review]) -> None:
    stands = standing(reviews)
    approvals, rejections = stands.approvals, stands.rejections
    for person in {review.by for review in reviews}:
        last = [review for review in reviews if review.by == person][-1]
        assert [(a.by, a.commit) for a in approvals if a.by == person] == (
            [(person, last.commit)] if last.word is Word.APPROVED else []
        )
        assert (person in rejections) == (last.word is Word.REJECTED)
        assert (person in stands.withdrawn) == (last.word is Word.WITHDRAWN)
    assert not {approval.by for approval in approvals} & set(rejections)


@given(st.lists(st.builds(CheckReport, st.sampled_from(["build", "lint"]), st.sampled_from(CheckState))))
def test_a_check_passes_only_where_all_of_its_name_do(checks: list[CheckReport]) -> None:
    found = gather(checks)
    assert found.keys() == {check.name for check in checks}
    for name, state in found.items():
        states = {check.state for check in checks if check.name == name}
        assert (state is CheckState.PASSED) == (states == {CheckState.PASSED})
        assert (state is CheckState.FAILED) == (CheckState.FAILED in states)
