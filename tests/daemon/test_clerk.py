"""What is shown at the forge stays true: when hosts change, when it is deleted, when a change is closed to us."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pygit2
import pytest

from reconciler.approval.evidence import Approval, Change, CheckState
from reconciler.approval.forge import ForgeUnavailable, OpenChange, Queued
from reconciler.approval.forge_client import NotAllowed
from reconciler.daemon.clerk import WORK_OUT_SECONDS, WRITE_SECONDS, Clerk
from reconciler.engine.handlers import Cause, Key, TemporaryError
from reconciler.kernel.observation import InstalledProduct
from reconciler.settings import Settings
from reconciler.site import open_site
from tests.operations.conftest import APP, Installation, package_code, product_code
from tests.operations.conftest import FILES as PLAIN

DEV = "environments/dev/environment.yaml"
FILES = PLAIN | {
    "environments/reconciler.yaml": 'version: 1\ngroups: {managers: ["@ben"]}\n',
    DEV: "approvals: {required: 1, from: [managers]}\npackages:\n  app: 1.0.0\n",
}


class RecordingForge:
    """A forge that keeps what is written; ``closed`` are the changes that it lets nobody write on."""

    def __init__(self) -> None:
        self.opened: list[OpenChange] = []
        self.written: list[str] = []
        self.closed: set[int] = set()
        self.away = False

    def merged_change(self, _commit: str) -> Change | None:
        return None

    def open_changes(self) -> tuple[OpenChange, ...]:
        if self.away:
            raise ForgeUnavailable("it is away")
        return tuple(self.opened)

    def propose(self, _branch: str, _title: str, _body: str) -> OpenChange:
        raise AssertionError("nothing is proposed here")

    def set_status(self, commit: str, _context: str, state: CheckState, text: str) -> None:
        number = next(
            change.number
            for change in self.opened
            if commit in (change.change.head, *(queued.commit for queued in change.queued))
        )
        if number in self.closed:
            raise NotAllowed("not yours")
        self.written.append(f"{number} {state}: {text}")

    def comment(self, number: int, _marker: str, body: str) -> None:
        self.written.append(f"{number} {body.splitlines()[-1]}")


class Story:
    """An installation in which dev needs an approval, and the clerk that tells of changes to it."""

    def __init__(self, installation: Installation) -> None:
        self.now = installation.site.clock()
        site = replace(installation.site, clock=lambda: self.now)
        self.installation = installation
        self.forge = RecordingForge()
        self.clerk = Clerk(site, self.forge)

    def open(self, number: int, version: str) -> None:
        workspace = self.installation.workspace
        back = workspace.head
        workspace.write({DEV: FILES[DEV].replace("1.0.0", version)})
        head = workspace.commit(f"change {number}")
        pygit2.Repository(str(workspace.folder)).remotes["origin"].push(
            [f"refs/heads/main:refs/pull/{number}/head"]
        )
        workspace.reset(back)
        change = Change(f"#{number}", "", "", "@ann", head, 1.0, ref=f"refs/pull/{number}/head")
        self.forge.opened.append(OpenChange(number, "branch", change))

    def look(self) -> list[str]:
        """Have the clerk look, and return what was written."""
        self.forge.written = []
        self.clerk.registry().handler_for(Key(Cause.CHANGES))(Key(Cause.CHANGES))
        return self.forge.written


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    with open_site(Settings(data=tmp_path / "data", repository=str(tmp_path / "fleet.git"))) as site:
        installation = Installation(tmp_path, site)
        installation.publish(FILES)
        yield Story(installation)


def test_each_open_change_is_told_once(story: Story) -> None:
    story.open(12, "2.0.0")
    story.open(13, "9.9.9")
    written = story.look()
    assert [line.partition(":")[0] for line in written if "passed" in line or "failed" in line] == [
        "12 passed",
        "13 failed",
    ]
    assert len(written) == 4
    assert story.look() == []


def test_what_a_merge_queue_tests_has_a_status_of_its_own(story: Story) -> None:
    """GitHub merges nothing from a queue whose own commit lacks a status that is required."""
    story.open(12, "2.0.0")
    story.look()
    workspace = story.installation.workspace
    back = workspace.head
    workspace.write({DEV: FILES[DEV].replace("1.0.0", "9.9.9")})
    commit = workspace.commit("what the queue would merge")
    ref = f"refs/heads/gh-readonly-queue/main/pr-12-{back}"
    pygit2.Repository(str(workspace.folder)).remotes["origin"].push([f"refs/heads/main:{ref}"])
    workspace.reset(back)
    story.forge.opened[0] = replace(story.forge.opened[0], queued=(Queued(commit, ref),))
    written = [line.partition(":")[0] for line in story.look()]
    assert written[:2] == ["12 passed", "12 failed"], "the change is fine, and not what it would be merged with"
    assert story.look() == []


def test_what_hosts_say_meanwhile_is_told_in_a_while(story: Story) -> None:
    story.open(12, "2.0.0")
    assert story.look()[0] == "12 passed: 1 change(s); 0 of 1 hosts have something to do"
    story.installation.enrol("DEV-01")
    product = InstalledProduct(product_code(1), "1.0.0", "App", package_code(1), APP)
    story.installation.report("DEV-01", product)
    assert story.look() == []
    story.now += WORK_OUT_SECONDS
    assert story.look()[0] == "12 passed: 1 change(s); 1 of 1 hosts have something to do"


def test_what_is_written_is_looked_after_in_a_while(story: Story) -> None:
    story.open(12, "2.0.0")
    assert len(story.look()) == 2
    story.now += WORK_OUT_SECONDS
    assert story.look() == []
    story.now += WRITE_SECONDS
    assert len(story.look()) == 2


def test_a_change_that_is_closed_to_us_keeps_us_from_no_other(story: Story) -> None:
    story.open(12, "2.0.0")
    story.open(13, "2.0.0")
    story.forge.closed = {12}
    with pytest.raises(TemporaryError, match="not yours"):
        story.look()
    assert [line.partition(" ")[0] for line in story.forge.written] == ["13", "13"]
    assert [request.change.name for request in story.clerk.requests() or ()] == ["#12", "#13"]
    story.forge.closed = set()
    assert [line.partition(" ")[0] for line in story.look()] == ["12", "12"]


def test_who_must_be_asked_is_known_while_the_forge_is_there(story: Story) -> None:
    assert story.clerk.requests() is None
    story.open(12, "2.0.0")
    story.look()
    (request,) = story.clerk.requests() or ()
    assert [need.environment for need in request.needs] == ["dev"]
    assert request.missing == ("dev: 1 approval from managers required, 0 given",)

    opened = story.forge.opened[0]
    given = replace(opened.change, approvals=(Approval("@ben", opened.change.head),))
    story.forge.opened = [replace(opened, change=given)]
    story.look()
    (request,) = story.clerk.requests() or ()
    assert request.missing == ()

    story.forge.away = True
    with pytest.raises(TemporaryError, match="away"):
        story.look()
    assert story.clerk.requests() is None


def test_a_change_that_was_closed_is_forgotten(story: Story) -> None:
    story.open(12, "2.0.0")
    story.look()
    gone = story.forge.opened.pop()
    assert story.look() == []
    assert story.clerk.requests() == ()
    story.forge.opened = [gone]
    assert len(story.look()) == 2
