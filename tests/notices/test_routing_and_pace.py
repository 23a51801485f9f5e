"""Who is told of a notice, and when."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.desired.catalog import Package
from reconciler.desired.model import DesiredState, Environment
from reconciler.desired.notifications import Channel, ChannelKind, Notifications, Subscription, Topic
from reconciler.notices.notice import Notice, Phase
from reconciler.notices.pace import HOUR, delay_after, due_at
from reconciler.notices.routing import destinations

ALL = frozenset(Topic)
HALT = Notice(Topic.HALTED, Phase.BEGAN, "prod", "app", "1.0.0")
BROKEN = Notice(Topic.INVALID, Phase.BEGAN, revision="c", author="Riley Release <riley@example.com>")


def told(notice: Notice, *subscriptions: Subscription, authors: tuple[str, ...] = ()) -> set[tuple[str, str]]:
    mail = Channel("mail", ChannelKind.MAIL, "mail", 60.0, 20, authors)
    desired = DesiredState(
        "r",
        {"app": Package("app", "", (), owners=("desktop",)), "tool": Package("tool", "", ())},
        {"prod": Environment("prod", owners=("managers",)), "dev": Environment("dev")},
        notifications=Notifications({"mail": mail}, subscriptions),
    )
    found = destinations(notice, desired)
    assert len(found) == len(set(found))
    return set(found)


@pytest.mark.parametrize(
    ("subscription", "fits"),
    [
        (Subscription("mail", ALL), True),
        (Subscription("mail", frozenset({Topic.SILENT})), False),
        (Subscription("mail", ALL, environments=frozenset({"dev"})), False),
        (Subscription("mail", ALL, environments=frozenset({"dev", "prod"})), True),
        (Subscription("mail", ALL, packages=frozenset({"tool"})), False),
        (Subscription("mail", ALL, packages=frozenset({"app"})), True),
        (Subscription("mail", ALL, groups=frozenset({"desktop"})), True),
        (Subscription("mail", ALL, groups=frozenset({"managers"})), True),
        (Subscription("mail", ALL, groups=frozenset({"others"})), False),
    ],
)
def test_subscriptions_choose(subscription: Subscription, fits: bool) -> None:
    assert told(HALT, subscription) == ({("mail", "")} if fits else set())
    everywhere = replace(BROKEN, author="")
    concerned = Topic.INVALID in subscription.topics
    assert told(everywhere, subscription) == ({("mail", "")} if concerned else set())


def test_a_channel_that_is_named_twice_is_told_once() -> None:
    assert told(HALT, Subscription("mail", ALL), Subscription("mail", ALL)) == {("mail", "")}


@pytest.mark.parametrize(
    ("author", "reached"),
    [
        ("Riley Release <riley@example.com>", True),
        ("Riley Release <riley@EXAMPLE.com>", True),
        ("Riley <riley@evil.example>", False),
        ("Riley <riley@example.com.evil.example>", False),
        ("Riley <riley@example.com> <boss@evil.example>", False),
        ("x <a@evil.example,riley@example.com>", False),
        ("x <riley@example.com\n>", False),
        ("x <a b@example.com>", False),
        ("nobody", False),
    ],
)
def test_authors_are_written_to_only_where_somebody_vouched_for(author: str, reached: bool) -> None:
    found = told(replace(BROKEN, author=author), authors=("example.com",))
    assert bool(found) is reached
    assert told(replace(BROKEN, author=author)) == set()
    assert told(replace(HALT, author=author), authors=("example.com",)) == set()


def test_what_happens_is_gathered() -> None:
    assert due_at(1000.0, 60.0, 20, []) == 1060.0


@given(st.lists(st.floats(0, 4 * HOUR), max_size=60), st.integers(1, 5), st.floats(0, 600))
def test_no_hour_has_more_messages_than_allowed(arrivals: list[float], most: int, gather: float) -> None:
    sent: list[float] = []
    for at in sorted(arrivals):
        if sent and at <= sent[-1]:
            continue  # went out with the message before
        lately = [time for time in sent if time > at - HOUR]
        sent.append(due_at(at, gather, most, lately))
    for time in sent:
        assert sum(time <= other < time + HOUR for other in sent) <= most


def test_tries_come_ever_later_but_at_least_every_quarter_of_an_hour() -> None:
    delays = [delay_after(failures) for failures in range(1, 100)]
    assert delays[:4] == [5.0, 10.0, 20.0, 40.0]
    assert delays == sorted(delays)
    assert delays[-1] == 900.0
