"""What every forge must tell, and do: one suite for the built-in review and for every adapter.

A `World` brings the situation about: for real, or by exchanges written from a forge's reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import pytest

from reconciler.approval.evidence import Change, CheckState
from reconciler.approval.forge import Forge
from reconciler.desired.people import Identity

MARKER = "reconciler:plan"
CONTEXT = "reconciler/plan"
BRANCH = "promote/prod/contoso-agent"


class Deed(StrEnum):
    """What somebody does to a change."""

    PUSH = "push"
    APPROVE = "approve"
    REJECT = "reject"
    COMMENT = "comment"
    DISMISS = "dismiss"
    MERGE = "merge"


class Way(StrEnum):
    """How a change comes onto the branch."""

    MERGE_COMMIT = "merge commit"
    SQUASH = "squash"
    REBASE = "rebase"


@dataclass(frozen=True)
class Step:
    """One deed. ``of`` is whose review is dismissed, or else taken back by themselves."""

    deed: Deed
    by: str
    of: str = ""


@dataclass(frozen=True)
class Story:
    """What happened to a change until it was merged by cleo.

    ``ann`` pushes a first commit and asks for the change on branch `BRANCH`; then come the steps, in their order.
    ``into`` is the branch that it is merged into, ``main`` the one that is followed.
    """

    name: str
    steps: tuple[Step, ...] = (Step(Deed.APPROVE, "ben"),)
    way: Way = Way.MERGE_COMMIT
    into: str = "main"
    checks: Mapping[str, CheckState] = field(default_factory=dict)


@dataclass(frozen=True)
class Landed:
    """The commit on the branch that came of it, and the heads that the change had, the oldest first."""

    commit: str
    heads: tuple[str, ...]


class World(Protocol):
    """A forge, and people who work with it: ann, ben, cleo, dora, emil, finn."""

    forge: Forge
    tells_heads: bool
    """Whether it is told of which head an approval was given, where the change had several."""

    def who(self, name: str) -> Identity:
        """Return how somebody is told as a reviewer, requester or pusher."""

    def writer(self, name: str) -> Identity:
        """Return how somebody is told as the author of a commit."""

    def merged(self, story: Story) -> Landed:
        """Bring a change about and merge it."""

    def pushed_directly(self) -> str:
        """Bring a commit onto the branch without a change."""

    def opened(self) -> tuple[str, str]:
        """Open two changes: one as `Story` has it, approved by ben, and then one of dora's; return their heads."""

    def branch(self, name: str) -> None:
        """Have ann push a branch of hers, with no change for it yet."""

    def open_one(self) -> tuple[int, str]:
        """Open a change; return its number and its head."""

    def proposals(self) -> Mapping[int, tuple[str, str]]:
        """Return the open changes of `BRANCH`, each with its title and description."""

    def comments(self, number: int) -> list[str]:
        """Return what we have written on a change, without the marker."""

    def statuses(self, commit: str) -> Mapping[str, tuple[CheckState, str]]:
        """Return the newest status of each context."""


class ForgeContract:
    """The suite. A test class derives from it and gives a `world`."""

    def told(self, world: World, story: Story) -> tuple[Change, Landed]:
        landed = world.merged(story)
        change = world.forge.merged_change(landed.commit)
        assert change is not None
        return change, landed

    @pytest.mark.parametrize("way", Way)
    def test_a_merged_change_is_told_however_it_was_merged(self, world: World, way: Way) -> None:
        change, landed = self.told(world, Story(f"merged-by-{way.replace(' ', '-')}", way=way))
        assert change.head == landed.heads[-1]
        assert change.requester == world.who("ann")
        assert change.merged_by == world.who("cleo")
        assert 0 < change.opened_at <= change.merged_at
        assert change.name
        assert change.url.startswith("https://")
        assert change.title
        assert {(found.by, found.commit) for found in change.approvals} == {(world.who("ben"), landed.heads[-1])}
        assert world.writer("ann") in change.authors
        assert change.rejections == ()
        assert change.checks == {}

    def test_each_approval_is_told(self, world: World) -> None:
        steps = (Step(Deed.APPROVE, "ben"), Step(Deed.APPROVE, "cleo"))
        change, landed = self.told(world, Story("approved-twice", steps))
        told = {(found.by, found.commit) for found in change.approvals}
        assert told == {(world.who(name), landed.heads[-1]) for name in ("ben", "cleo")}

    def test_approvals_of_many_pages_are_told(self, world: World) -> None:
        names = ("ben", "cleo", "dora", "emil", "finn")
        change, _ = self.told(world, Story("approved-by-five", tuple(Step(Deed.APPROVE, name) for name in names)))
        assert sorted(found.by for found in change.approvals) == sorted(world.who(name) for name in names)

    def test_an_approval_is_told_for_the_head_that_it_was_given_for(self, world: World) -> None:
        steps = (Step(Deed.APPROVE, "ben"), Step(Deed.PUSH, "ann"))
        change, landed = self.told(world, Story("push-after-approval", steps))
        assert change.head == landed.heads[1]
        assert [(found.by, found.commit) for found in change.approvals] == [
            (world.who("ben"), landed.heads[0] if world.tells_heads else "")
        ]

    def test_a_dismissed_approval_does_not_stand(self, world: World) -> None:
        steps = (Step(Deed.APPROVE, "ben"), Step(Deed.DISMISS, "cleo", of="ben"), Step(Deed.APPROVE, "cleo"))
        change, _ = self.told(world, Story("dismissed", steps))
        assert [found.by for found in change.approvals] == [world.who("cleo")]
        assert change.rejections == ()

    def test_who_rejected_and_then_approved_approves(self, world: World) -> None:
        steps = (Step(Deed.REJECT, "ben"), Step(Deed.APPROVE, "ben"))
        change, _ = self.told(world, Story("rejected-then-approved", steps))
        assert [found.by for found in change.approvals] == [world.who("ben")]
        assert change.rejections == ()

    def test_who_approved_and_then_rejected_rejects(self, world: World) -> None:
        steps = (Step(Deed.APPROVE, "ben"), Step(Deed.REJECT, "ben"))
        change, _ = self.told(world, Story("approved-then-rejected", steps))
        assert change.approvals == ()
        assert change.rejections == (world.who("ben"),)

    def test_a_comment_takes_no_approval_back(self, world: World) -> None:
        steps = (Step(Deed.APPROVE, "ben"), Step(Deed.COMMENT, "ben"))
        change, landed = self.told(world, Story("commented-after-approval", steps))
        assert [(found.by, found.commit) for found in change.approvals] == [(world.who("ben"), landed.heads[0])]

    def test_an_approval_by_one_of_the_authors_is_told_as_it_is(self, world: World) -> None:
        steps = (Step(Deed.PUSH, "ben"), Step(Deed.APPROVE, "ben"))
        change, _ = self.told(world, Story("approved-by-an-author", steps))
        assert [found.by for found in change.approvals] == [world.who("ben")]
        assert {world.writer("ann"), world.writer("ben")} <= set(change.authors)

    def test_who_pushed_last_is_told(self, world: World) -> None:
        steps = (Step(Deed.PUSH, "dora"), Step(Deed.APPROVE, "ben"))
        change, landed = self.told(world, Story("pushed-by-another", steps))
        assert change.head == landed.heads[1]
        assert change.pushers == (world.who("dora"),)

    def test_who_pushed_at_all_is_told(self, world: World) -> None:
        change, _ = self.told(world, Story("merged-by-merge-commit"))
        assert (change.pushers, change.unknown_pushers) == ((world.who("ann"),), "")

    def test_checks_are_told(self, world: World) -> None:
        checks = {"build": CheckState.PASSED, "lint": CheckState.FAILED, "slow": CheckState.PENDING}
        change, _ = self.told(world, Story("checked", checks=checks))
        assert checks.items() <= change.checks.items()

    def test_a_commit_that_was_pushed_directly_has_no_change(self, world: World) -> None:
        assert world.forge.merged_change(world.pushed_directly()) is None

    def test_a_change_into_another_branch_is_none(self, world: World) -> None:
        landed = world.merged(Story("merged-elsewhere", into="release"))
        assert world.forge.merged_change(landed.commit) is None

    def test_open_changes_are_told_the_oldest_first(self, world: World) -> None:
        heads = world.opened()
        first, second = world.forge.open_changes()
        assert first.branch == BRANCH
        assert (first.change.head, second.change.head) == heads
        assert (first.change.requester, second.change.requester) == (world.who("ann"), world.who("dora"))
        assert [(found.by, found.commit) for found in first.change.approvals] == [(world.who("ben"), heads[0])]
        assert second.change.approvals == ()
        assert first.number < second.number
        assert (first.change.merged_by, first.change.merged_at) == ("", 0.0)
        assert second.change.opened_at > 0

    def test_proposing_twice_gives_one_change(self, world: World) -> None:
        world.branch(BRANCH)
        first = world.forge.propose(BRANCH, "first title", "first body")
        assert dict(world.proposals()) == {first.number: ("first title", "first body")}
        second = world.forge.propose(BRANCH, "second title", "second body")
        assert second.number == first.number
        assert second.branch == BRANCH
        assert second.change.url.startswith("https://")
        assert dict(world.proposals()) == {first.number: ("second title", "second body")}

    def test_commenting_twice_gives_one_comment(self, world: World) -> None:
        number, _ = world.open_one()
        world.forge.comment(number, MARKER, "first plan")
        assert world.comments(number) == ["first plan"]
        world.forge.comment(number, MARKER, "first plan")
        assert world.comments(number) == ["first plan"]
        world.forge.comment(number, MARKER, "second plan")
        assert world.comments(number) == ["second plan"]

    def test_a_status_takes_the_place_of_an_earlier_one(self, world: World) -> None:
        _, head = world.open_one()
        world.forge.set_status(head, CONTEXT, CheckState.PASSED, "3 hosts")
        assert dict(world.statuses(head)) == {CONTEXT: (CheckState.PASSED, "3 hosts")}
        world.forge.set_status(head, CONTEXT, CheckState.PASSED, "3 hosts")
        finding = "environments/prod/environment.yaml:3: no such package"
        world.forge.set_status(head, CONTEXT, CheckState.FAILED, finding)
        assert dict(world.statuses(head)) == {CONTEXT: (CheckState.FAILED, finding)}
