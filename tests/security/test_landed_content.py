"""What lands on the branch is what was approved, however a forge merges it. What cannot be compared is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.approval.evidence import Change
from reconciler.approval.git_evidence import evidence_of
from reconciler.approval.landing import landed_with
from reconciler.desired.mirror import open_mirror
from reconciler.operations.landed_changes import LandedChanges
from tests.approval.test_git_evidence import Clone

LINES = "".join(f"line {number}\n" for number in range(20))


class Story(Clone):
    """A change of two commits on the branch ``side``, and one commit that was merged into main meanwhile."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.base = self.commit("app.yaml", LINES)
        self.git("checkout", "-q", "-b", "side")
        self.first = self.commit("app.yaml", LINES.replace("line 3\n", "line three\n"), author="dora")
        self.head = self.commit("new.yaml", "packages:\n  app: 2.0.0\n", author="dora")
        self.git("checkout", "-q", "main")
        self.before = self.commit("other.yaml", "other\n", author="gus")

    def change(self, **facts: object) -> Change:
        return Change("#1", "", "", "@dora", self.head, 0.0, **facts)  # type: ignore[arg-type]

    def rebase(self) -> tuple[str, str]:
        """Put a copy of each commit on main, as a forge does it; return the copies."""
        self.git("cherry-pick", self.first, self.head)
        return self.git("rev-parse", "HEAD~1"), self.git("rev-parse", "HEAD")

    def alteration(self, commit: str, change: Change) -> str:
        return evidence_of(self.repository, commit, change).alteration


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path / "clone")


class Named:
    """A forge that names the change for one commit."""

    def __init__(self, commit: str, change: Change) -> None:
        self._commit, self._found = commit, change
        self.asked: list[str] = []

    def merged_change(self, commit: str) -> Change | None:
        self.asked.append(commit)
        return self._found if commit == self._commit else None


def test_a_head_that_is_gone_cannot_be_compared(story: Story) -> None:
    landed = story.commit("new.yaml", "packages:\n  app: 2.0.0\n")
    gone = Change("#1", "", "", "@dora", "f" * 40, 0.0)
    assert "its head ffffffffff is not in the repository any more" in story.alteration(landed, gone)


def test_any_commit_that_somebody_says_merged_a_change_is_compared(story: Story) -> None:
    """Forgejo and Gitea let whoever may write say that any commit merged a change (manual merge)."""
    landed = story.commit("new.yaml", "packages:\n  app: 6.6.6\n")
    assert "holds more than what was approved" in story.alteration(landed, story.change(landed=landed))


def test_a_squash_that_was_merged_by_a_merge_commit_is_what_was_approved(story: Story) -> None:
    """GitLab merges the squashed commit. Its second parent is not the head, and the forge names it."""
    story.git("checkout", "-q", "-b", "squashed", story.base)
    story.git("merge", "-q", "--squash", "side")
    story.git("commit", "-q", "-m", "Squashed")
    squash = story.git("rev-parse", "HEAD")
    story.git("checkout", "-q", "main")
    story.git("merge", "-q", "--no-ff", "-m", "Merge", "squashed")
    merge = story.git("rev-parse", "HEAD")
    assert story.alteration(merge, story.change(landed=merge, squash=squash)) == ""
    assert "holds more" in story.alteration(merge, story.change(landed=merge))


def test_a_squash_that_holds_more_is_told_though_the_forge_names_it(story: Story) -> None:
    story.git("checkout", "-q", "-b", "squashed", story.base)
    story.git("merge", "-q", "--squash", "side")
    squash = story.commit("smuggled.yaml", "more\n")
    story.git("checkout", "-q", "main")
    story.git("merge", "-q", "--no-ff", "-m", "Merge", "squashed")
    merge = story.git("rev-parse", "HEAD")
    assert "holds more" in story.alteration(merge, story.change(landed=merge, squash=squash))


def test_each_commit_of_a_rebase_is_bound_to_one_that_was_approved(story: Story) -> None:
    first, last = story.rebase()
    change = story.change(landed=last)
    assert landed_with(story.repository, last, change) == {first, last}
    assert [story.alteration(commit, change) for commit in (first, last)] == ["", ""]


def test_the_change_of_a_rebased_commit_is_found_by_the_last_of_them(story: Story) -> None:
    first, last = story.rebase()
    forge = Named(last, story.change(landed=last))
    changes = LandedChanges(forge, story.repository, "main")
    assert changes.merged_change(first) == changes.merged_change(last) == story.change(landed=last)
    assert changes.merged_change(story.before) is None, "it was there before"


def test_a_later_commit_that_came_by_no_change_is_not_asked_for_at_every_look(story: Story) -> None:
    pushed = story.commit("straight.yaml", "pushed\n")
    later = story.commit("straight.yaml", "pushed again\n")
    forge = Named("none", story.change())
    changes = LandedChanges(forge, story.repository, "main")
    assert [changes.merged_change(pushed) for _ in range(3)] == [None] * 3
    assert forge.asked.count(later) == 1
    assert forge.asked.count(pushed) == 3


def test_a_commit_among_those_of_a_rebase_that_was_not_approved_is_told(story: Story) -> None:
    story.git("cherry-pick", story.first)
    smuggled = story.commit("smuggled.yaml", "more\n", author="eve")
    story.git("cherry-pick", story.head)
    last = story.git("rev-parse", "HEAD")
    change = story.change(landed=last)
    assert "holds more than what was approved" in story.alteration(smuggled, change)
    assert smuggled not in landed_with(story.repository, last, change)
    assert LandedChanges(Named(last, change), story.repository, "main").merged_change(smuggled) is None


@pytest.mark.parametrize(
    "text", ["packages:\n  app: 2.0.1\n", "packages:\n    app: 2.0.0\n", "packages:\n  app:  2.0.0\n"]
)
def test_a_rebased_commit_that_differs_is_told_even_by_white_space(story: Story, text: str) -> None:
    story.git("cherry-pick", story.first)
    first = story.git("rev-parse", "HEAD")
    last = story.commit("new.yaml", text, author="dora")
    change = story.change(landed=last)
    assert "holds more than what was approved" in story.alteration(last, change)
    assert "holds more than what was approved" in story.alteration(first, change)
    assert landed_with(story.repository, last, change) == frozenset()


def test_a_rebase_in_another_order_is_told(story: Story) -> None:
    story.git("cherry-pick", story.head)
    first = story.git("rev-parse", "HEAD")
    story.git("cherry-pick", story.first)
    last = story.git("rev-parse", "HEAD")
    assert first not in landed_with(story.repository, last, story.change(landed=last))


def test_a_fast_forward_of_several_commits_is_bound_by_its_base(story: Story) -> None:
    story.git("reset", "-q", "--hard", story.base)
    story.git("merge", "-q", "--ff-only", "side")
    change = story.change(landed=story.head, base=story.base)
    assert landed_with(story.repository, story.head, change) == {story.first, story.head}
    assert [story.alteration(commit, change) for commit in (story.first, story.head)] == ["", ""]
    forge = Named(story.head, change)
    assert LandedChanges(forge, story.repository, "main").merged_change(story.first) == change
    unknown = story.change(landed=story.head)
    assert landed_with(story.repository, story.head, unknown) == {story.head}


def test_a_head_that_is_on_no_branch_is_fetched(story: Story, tmp_path: Path) -> None:
    story.git("merge", "-q", "--squash", "side")
    story.git("commit", "-q", "-m", "Squashed")
    squash = story.git("rev-parse", "HEAD")
    story.git("update-ref", "refs/pull/1/head", story.head)
    story.git("branch", "-q", "-D", "side")
    mirror = open_mirror(str(story.folder), tmp_path / "mirror")
    story.git("push", "-q", str(mirror.folder), "main")
    change = story.change(landed=squash, ref="refs/pull/1/head")
    assert story.head not in mirror.handle()
    found = LandedChanges(Named(squash, change), mirror, "main").merged_change(squash)
    assert evidence_of(mirror, squash, found).alteration == ""
