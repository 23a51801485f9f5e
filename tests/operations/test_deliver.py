"""From the outbox to a channel: in order, gathered, tried again, and never lost."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.desired.notifications import Channel, ChannelKind, Topic
from reconciler.kernel.wire import encode
from reconciler.notices.notice import Notice, Phase
from reconciler.notices.pace import GIVE_UP_SECONDS, HOUR
from reconciler.notices.sending import NotSent
from reconciler.notices.words import Words
from reconciler.operations.deliver import deliver
from reconciler.site import Site
from reconciler.store.outbox import Lane, Letter, Told
from tests.operations.conftest import Installation

LANE = Lane("ops")
CHANNEL = Channel("ops", ChannelKind.WEBHOOK, "ops-hook", 60.0, 3)
GRANTS = """version: 1
notifications:
  ops-hook:
    environments: [prod]
    address: env:OPS
    authors: [example.com]
"""


class Killed(BaseException):
    """Stands for the end of the process: nothing after it runs."""


class Post:
    """An outbox, a clock, and a channel that takes, fails or dies as a test says."""

    def __init__(self, site: Site) -> None:
        self.now = 1_000_000.0
        self.site = replace(site, clock=lambda: self.now)
        self.taken: list[Words] = []
        self.addresses: set[str] = set()
        self.fails = ""
        self.dies: str | None = None

    def put(self, *packages: str, lane: Lane = LANE) -> None:
        notices = [Notice(Topic.HALTED, Phase.BEGAN, "prod", package, "1.0.0") for package in packages]
        letters = [Letter(lane, self.now, json.dumps(encode(notice))) for notice in notices]
        self.site.outbox.put(Told({}, (), letters, 0, 0))

    def send(self, channel: Channel, recipient: str, words: Words, address: str) -> None:
        self.addresses.add(address)
        if self.dies == "before":
            raise Killed
        if self.fails:
            raise NotSent(self.fails)
        self.taken.append(words)
        if self.dies == "after":
            raise Killed

    def deliver(self, channel: Channel | None = CHANNEL, lane: Lane = LANE) -> bool:
        for waiting in self.site.outbox.waiting():
            if waiting.lane == lane and waiting.letters:
                return deliver(self.site, waiting, channel, self.send)
        return False

    def told(self) -> list[list[str]]:
        """Return the packages that each message told of."""
        return [
            [line.split()[0] for line in words.text.splitlines() if " is halted in " in line]
            for words in self.taken
        ]


@pytest.fixture
def post(installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Post:
    monkeypatch.setenv("OPS", "https://hooks.example.com/ops")
    grants = tmp_path / "grants.yaml"
    grants.write_text(GRANTS, "utf-8")
    settings = installation.site.settings.model_copy(update={"grants": str(grants)})
    return Post(replace(installation.site, settings=settings))


def test_what_comes_within_the_window_goes_out_as_one_message_in_order(post: Post) -> None:
    post.put("b")
    post.now += 30
    post.put("a", "c")
    assert not post.deliver()
    post.now += 30
    assert post.deliver()
    assert not post.deliver()
    assert post.told() == [["b", "a", "c"]]


def test_a_failure_is_tried_again_as_the_same_message_and_before_what_came_later(post: Post) -> None:
    post.put("a")
    post.now += 60
    post.fails = "no route"
    with pytest.raises(NotSent):
        post.deliver()
    (waiting,) = post.site.outbox.waiting()
    assert waiting.trouble is not None
    assert (waiting.letters, waiting.trouble.error, waiting.trouble.failures) == (1, "no route", 1)
    post.put("b")
    assert not post.deliver(), "not before its time"
    post.now += 61
    post.fails = ""
    assert post.deliver()
    assert post.deliver()
    assert post.told() == [["a"], ["b"]]
    assert post.site.outbox.waiting() == ()


@pytest.mark.parametrize(("dies", "times"), [("before", 1), ("after", 2)])
def test_a_crash_loses_nothing_and_what_comes_twice_has_the_same_name(post: Post, dies: str, times: int) -> None:
    post.put("a", "b")
    post.now += 60
    post.dies = dies
    with pytest.raises(Killed):
        post.deliver()
    post.dies = None
    post.put("c")
    assert post.deliver()
    assert post.told() == [["a", "b"]] * times
    assert len({words.text for words in post.taken}) == 1
    post.now += 60
    assert post.deliver()
    assert post.told()[-1] == ["c"]


def test_more_than_may_be_sent_in_an_hour_comes_as_one(post: Post) -> None:
    for number in range(30):
        post.put(f"p{number}")
        post.now += 61
        post.deliver()
    assert [len(told) for told in post.told()] == [1, 1, 1]
    post.now += HOUR - 27 * 61
    assert post.deliver()
    assert [len(told) for told in post.told()] == [1, 1, 1, 20]
    assert "and 7 more: 7 halted began." in post.taken[-1].text
    assert post.site.outbox.waiting() == ()


def test_what_cannot_be_delivered_for_a_day_is_given_up_and_shown(post: Post) -> None:
    post.put("a")
    post.now += 60
    post.fails = "no route"
    tries = 0
    while post.now < 1_000_000.0 + 2 * GIVE_UP_SECONDS:
        try:
            post.deliver()
        except NotSent:
            tries += 1
        post.now += 60
    (waiting,) = post.site.outbox.waiting()
    assert (waiting.letters, waiting.given_up) == (0, 1)
    assert 50 < tries < 150
    post.fails = ""
    post.put("b")
    post.now += 60
    assert post.deliver()
    assert post.told() == [["b"]]


def test_a_channel_that_is_gone_is_given_up(post: Post) -> None:
    post.put("a")
    assert not post.deliver(channel=None)
    (waiting,) = post.site.outbox.waiting()
    assert (waiting.letters, waiting.given_up) == (0, 1)


def test_a_channel_that_is_down_holds_up_no_other(post: Post) -> None:
    other = Lane("ops", "riley@example.com")
    post.put("a")
    post.put("a", lane=other)
    post.now += 60
    post.fails = "no route"
    with pytest.raises(NotSent):
        post.deliver()
    post.fails = ""
    assert post.deliver(lane=other)
    assert post.told() == [["a"]]
