"""Whatever people propose, approve, push, rewrite and merge: no entry takes effect without its approval.

The oracle knows the plays and the values, and nothing of how the branch is walked.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from reconciler.approval.admission import AdmissionState
from reconciler.approval.entries import Key, differing
from tests.approval.branches import START, Branches, change, key
from tests.properties import examples

KEYS = [key(name) for name in "abc"]
VALUES = st.sampled_from([1, 2, 3, None])
EDITS = st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1, max_size=2)
Action = tuple[str, int, dict[Key, object]]
NUMBERS = st.integers(0, 1)


def action(*names: str) -> st.SearchStrategy[Action]:
    return st.tuples(st.sampled_from(names), NUMBERS, EDITS)


INCIDENTS = st.lists(
    action("push", "break", "rewrite", "look", "look", "amend", "retarget", "propose"), max_size=2
)
"""What goes on between the steps of a review."""


@st.composite
def rounds(draw: st.DrawFn) -> list[Action]:
    """A change from its proposal to its merge, so that most of what is played comes to a decision."""
    number = draw(NUMBERS)
    played: list[Action] = [("propose", number, draw(EDITS)), *draw(INCIDENTS)]
    if draw(st.integers(0, 3)):
        played.append(("approve", number, {}))
    played += draw(INCIDENTS)
    played.append((draw(st.sampled_from(["merge", "merge", "squash", "evil merge"])), number, draw(EDITS)))
    return [*played, *draw(INCIDENTS)]


@dataclass
class Play:
    """Three changes and the branch. ``supported`` is what approved merges held since an entry was last in line."""

    branch: Branches = field(default_factory=lambda: Branches.of(a=1, b=1, c=1))
    heads: dict[int, str] = field(default_factory=dict)
    approved: dict[int, str] = field(default_factory=dict)
    supported: dict[Key, set[object]] = field(default_factory=dict)
    rewritten: bool = False
    fresh: dict[Key, object] = field(default_factory=dict)

    def do(self, what: str, number: int, edits: dict[Key, object]) -> None:
        branch = self.branch
        if what == "look":
            self._look()
        elif what == "push":
            self._moved(branch.push(edits))
        elif what == "break":
            there = branch.entries(branch.main[-1])
            branch.push(None)
            branch.main.append(branch.commit(there, branch.main[-1]))
        elif what == "rewrite" and len(branch.main) > 1:
            del branch.main[max(1, len(branch.main) - number - 1) :]
            while branch.entries(branch.main[-1]) is None:
                branch.main.pop()
            self.rewritten |= branch.now.begin not in branch.main  # else nobody has seen what was there
            self.fresh = {}
            branch.push(edits)
        elif what == "propose":
            self.heads[number] = branch.propose(edits)
        elif what == "amend" and number in self.heads:
            self.heads[number] = branch.propose(edits, self.heads[number])
        elif what == "retarget" and number in self.heads:
            self.heads[number] = branch.propose({}, self.heads[number])
        elif what == "approve" and number in self.heads:
            self.approved[number] = self.heads[number]
        elif what in ("merge", "evil merge", "squash") and number in self.heads:
            self._merge(what, number, edits)

    def _merge(self, what: str, number: int, edits: dict[Key, object]) -> None:
        branch, head = self.branch, self.heads.pop(number)
        by = ("@ann",) if self.approved.pop(number, "") == head else ()
        commit = branch.merge(head, *by, besides=edits if what == "evil merge" else None)
        if what == "squash":
            branch.commits[commit] = type(branch.commits[commit])(
                branch.entries(commit), branch.commits[commit].parents[:1]
            )
            branch.came_by[commit] = change(head, *by)
        self._moved(commit)
        if by:
            own = branch.own(commit)
            for item, value in own.items():
                self.supported.setdefault(item, set()).add(value)
                if (branch.entries(commit) or {}).get(item) == value:
                    self.fresh[item] = value

    def _moved(self, commit: str) -> None:
        """Whoever moves an entry after an approved merge takes the oracle's word for it away."""
        entries = self.branch.entries(commit) or {}
        self.fresh = {item: value for item, value in self.fresh.items() if entries.get(item) == value}

    def _look(self) -> None:
        branch = self.branch
        before = branch.in_force()
        branch.look()
        after = branch.in_force()
        newest = branch.entries(branch.main[-1])
        assert newest is not None
        for item, value in differing(before, after).items():
            assert value in self.supported.get(item, set()), f"{item} took effect without its approval"
            assert not self.rewritten, "what came with a rewriting is approved by nobody"
        if not self.rewritten:
            for item, value in self.fresh.items():
                assert after.get(item) == value, f"the approval of {item} was voided"
        differs = differing(after, newest)
        assert (branch.now.state is AdmissionState.APPROVED) == (not differs)
        for item in self.supported.keys() - differs.keys():
            self.supported[item].clear()
        if self.rewritten:
            self.supported.clear()
        self.rewritten, self.fresh = False, {}


@examples(400)
@given(st.lists(rounds(), min_size=1, max_size=4))
def test_no_entry_takes_effect_without_its_approval(played: list[list[Action]]) -> None:
    play = Play()
    for what, number, edits in itertools.chain(*played):
        play.do(what, number, edits)
    play.do("look", 0, {})


def test_the_play_comes_to_both() -> None:
    play = Play()
    for what, edits in (
        ("propose", {KEYS[0]: 2}),
        ("approve", {}),
        ("merge", {}),
        ("push", {KEYS[1]: 3}),
        ("look", {}),
    ):
        play.do(what, 0, dict(edits))
    assert play.branch.in_force()[KEYS[0]] == 2
    assert play.branch.in_force()[KEYS[1]] == 1
    assert play.branch.main[0] == START
