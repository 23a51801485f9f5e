"""Whatever people push, approve, dismiss and reject, and in which order: only what was agreed on counts."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from reconciler.approval.evidence import Change, Evidence
from reconciler.approval.policy import judge
from reconciler.approval.standing import Review, Word, standing
from reconciler.desired.approvals import ApprovalPolicy
from reconciler.desired.people import People
from tests.properties import examples

PEOPLE = ("@ann", "@ben", "@cara", "@dora", "@eve")
MANAGERS = ("@ann", "@ben", "@cara", "@dora")
WHO = People({}, {"managers": MANAGERS})


@dataclass(frozen=True)
class Push:
    by: str


@dataclass(frozen=True)
class Said:
    by: str
    word: Word


events = st.lists(
    st.one_of(
        st.builds(Push, st.sampled_from(PEOPLE)),
        st.builds(Said, st.sampled_from(PEOPLE), st.sampled_from(Word)),
    ),
    max_size=12,
)


@dataclass
class Told:
    """The change as a forge tells it, and beside it what people would say: who agrees to it as it is."""

    pushed_by: list[str]
    reviews: list[Review] = field(default_factory=list)
    agreeing: set[str] = field(default_factory=set)
    against: set[str] = field(default_factory=set)

    def happens(self, event: Push | Said) -> None:
        if isinstance(event, Push):
            self.pushed_by.append(event.by)
            self.agreeing.clear()
            return
        self.reviews.append(Review(event.by, event.word, self.head))
        self.agreeing.discard(event.by)
        self.against.discard(event.by)
        if event.word is Word.APPROVED:
            self.agreeing.add(event.by)
        elif event.word is Word.REJECTED:
            self.against.add(event.by)

    @property
    def head(self) -> str:
        return f"{len(self.pushed_by):040}"

    @property
    def change(self) -> Change:
        stands = standing(self.reviews)
        return Change(
            "#1",
            "",
            "",
            self.pushed_by[0],
            self.head,
            0.0,
            stands.approvals,
            stands.rejections,
            authors=tuple(self.pushed_by),
            pushers=(self.pushed_by[-1],),
        )


@examples(600)
@given(st.sampled_from(PEOPLE), events, st.integers(1, 3))
def test_it_counts_exactly_where_enough_others_agree_to_it_as_it_is(
    requester: str, history: list[Push | Said], required: int
) -> None:
    told = Told([requester])
    for event in history:
        told.happens(event)
    others = told.agreeing & set(MANAGERS) - set(told.pushed_by)
    expected = len(others) >= required and not told.against & set(MANAGERS)
    judged = judge(ApprovalPolicy(required, ("managers",)), WHO, "", Evidence("c" * 40, told.change))
    assert judged.approved == expected
    assert bool(judged.reasons) != expected
    if expected:
        assert set(judged.approvers) == others
