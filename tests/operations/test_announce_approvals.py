"""Who is told of approvals: each thing once, and those whose business it is."""

from __future__ import annotations

import pygit2
import pytest

from reconciler.approval.evidence import Change
from reconciler.approval.needs import Need
from reconciler.desired.approvals import ApprovalPolicy
from reconciler.desired.notifications import Topic
from reconciler.hosts.roster import Roster
from reconciler.notices.notice import Notice, Phase
from reconciler.operations.announce import Announcer
from reconciler.operations.announce_approvals import Request
from reconciler.operations.desired import state_in_force
from tests.operations.conftest import FILES, Installation
from tests.operations.test_approvals import ANN, BEN, PROD, SETTINGS, Story, prod

NOTIFICATIONS = """notifications:
  remind: 1d
  channels:
    mail: {kind: mail, grant: mail, authors: [example.com]}
    chat: {kind: slack, grant: chat}
  tell:
    - {channel: chat, of: [requested], groups: [managers]}
"""
NEED = Need("prod", ApprovalPolicy(1, ("managers",)), ("ann@example.com", "ben@example.com"))
DAY = 86400.0


@pytest.fixture
def story(installation: Installation) -> Story:
    files = {**FILES, "environments/reconciler.yaml": SETTINGS + NOTIFICATIONS, PROD: prod("1.0.0")}
    first = installation.publish(files)
    return Story(installation, pygit2.Repository(str(installation.workspace.folder)), first)


class Listener:
    """Tells what is new, as the daemon does; a restart forgets all that is not on record."""

    def __init__(self, story: Story) -> None:
        self._site = story.installation.site
        self.restart()
        self.told()

    def restart(self) -> None:
        self._announcer = Announcer(self._site, self._site.clock())

    def told(self, *requests: Request) -> list[Notice]:
        return list(self._announcer.announce(Roster(()), state_in_force(self._site), requests))

    def told_without_the_forge(self) -> list[Notice]:
        return list(self._announcer.announce(Roster(()), state_in_force(self._site), None))

    def lanes(self) -> set[str]:
        return {str(item.lane) for item in self._site.outbox.waiting()}


def request(story: Story, *, days: float = 0.0, rejected_by: tuple[str, ...] = (), lacks: bool = True) -> Request:
    opened = story.installation.site.clock() - days * DAY
    change = Change("#12", "https://forge/12", "Up", "ann@example.com", "a" * 40, opened, rejections=rejected_by)
    return Request(change, (NEED,), ("prod: it needs 1 approval",) if lacks else ())


def test_an_environment_that_stays_behind_is_told_once_and_when_it_goes_on(story: Story) -> None:
    listener = Listener(story)
    commit = story.direct({PROD: prod("2.0.0")})
    (notice,) = listener.told()
    assert (notice.topic, notice.environment, notice.revision) == (Topic.UNAPPROVED, "prod", commit)
    assert "no change, so nobody approved it" in notice.message
    listener.restart()
    assert listener.told() == []
    story.installation.workspace.revert(commit)
    story.installation.follow()
    (notice,) = listener.told()
    assert (notice.topic, notice.phase) == (Topic.UNAPPROVED, Phase.ENDED)


def test_who_asked_is_told_that_it_was_approved(story: Story) -> None:
    listener = Listener(story)
    head = story.propose({PROD: prod("2.0.0")})
    story.approve(head, BEN)
    story.merge(head, ANN)
    (notice,) = listener.told()
    assert (notice.topic, notice.environment, notice.people) == (Topic.APPROVED, "prod", ("riley@example.com",))
    assert listener.lanes() == {"mail to riley@example.com"}
    listener.restart()
    assert listener.told() == []


def test_an_emergency_is_told_with_its_reason(story: Story) -> None:
    listener = Listener(story)
    tree = story.git[story.propose({PROD: prod("2.0.0")})].peel(pygit2.Commit).tree_id
    story.add(tree, [story.first], BEN, "Now\n\nEmergency: the site is down\n")
    (notice,) = listener.told()
    assert (notice.topic, notice.message) == (Topic.EMERGENCY, "declared by ben: the site is down")


def test_those_who_may_approve_are_told_and_reminded_but_not_who_asked(story: Story) -> None:
    listener = Listener(story)
    (notice,) = listener.told(request(story))
    assert (notice.topic, notice.version, notice.people) == (Topic.REQUESTED, "#12", ("ben@example.com",))
    assert listener.lanes() == {"chat", "mail to ben@example.com"}
    assert listener.told(request(story)) == []
    (notice,) = listener.told(request(story, days=1.5))
    assert notice.topic is Topic.REQUESTED
    listener.restart()
    assert listener.told(request(story, days=1.5)) == []
    assert listener.told_without_the_forge() == [], "a forge that is away takes nothing back"
    assert listener.told(request(story, days=1.5)) == []


def test_a_request_that_has_what_it_needs_asks_nobody(story: Story) -> None:
    assert Listener(story).told(request(story, lacks=False)) == []


def test_who_asked_is_told_that_it_was_rejected(story: Story) -> None:
    (notice,) = Listener(story).told(request(story, rejected_by=("ben@example.com",)))
    assert (notice.topic, notice.message, notice.people) == (Topic.REJECTED, "by ben", ("ann@example.com",))
