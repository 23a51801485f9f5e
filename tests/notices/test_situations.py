"""What is told: each beginning and end once, in whatever steps it is seen and after whichever crash."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from reconciler.desired.notifications import Topic
from reconciler.notices.notice import Notice, Phase
from reconciler.notices.situations import News, Rollout, Seen, Situation, find_news, merge

Told = dict[str, Situation]

SITUATIONS = st.builds(
    lambda topic, environment, package, host, message: Situation(
        topic,
        environment,
        package if topic is not Topic.SILENT else "",
        "1.0.0",
        host if topic in (Topic.DEGRADED, Topic.SILENT) else "",
        message,
    ),
    st.sampled_from([Topic.HALTED, Topic.DEGRADED, Topic.SILENT, Topic.REMOVAL]),
    st.sampled_from(["dev", "prod"]),
    st.sampled_from(["app", "tool"]),
    st.sampled_from(["A", "B", "C"]),
    st.sampled_from(["", "failed 1603", "on A failed"]),
)
VIEWS = st.lists(st.tuples(st.lists(SITUATIONS, max_size=8), st.booleans()), max_size=8)


def kept(told: Told, news: News) -> Told:
    return {key: s for key, s in (told | dict(news.begun)).items() if key not in news.ended}


def hosts_told(notice: Notice) -> int:
    return max(len(notice.hosts), 1)


@given(VIEWS)
def test_each_beginning_and_end_is_told_once(views: list[tuple[list[Situation], bool]]) -> None:
    told: Told = {}
    standing: set[str] = set()
    began = ended = expected_began = expected_ended = 0
    for situations, crashed in views:
        now = {s.key: s for s in situations}
        news = find_news(told, Seen(tuple(situations)))
        if crashed:  # before what was found was kept: the next look finds it, with all that came since
            continue
        began += sum(hosts_told(n) for n in news.notices if n.phase is Phase.BEGAN)
        ended += sum(hosts_told(n) for n in news.notices if n.phase is Phase.ENDED)
        expected_began += len(now.keys() - standing)
        expected_ended += sum('"removal"' not in key for key in standing - now.keys())
        standing = set(now)
        told = kept(told, news)
        assert told.keys() == standing
        assert find_news(told, Seen(tuple(situations))) == News(), "looking again tells nothing"
    assert (began, ended) == (expected_began, expected_ended)


@given(st.lists(SITUATIONS, max_size=6), st.lists(SITUATIONS, max_size=6))
def test_what_is_undecided_neither_begins_nor_ends(first: list[Situation], then: list[Situation]) -> None:
    told = kept({}, find_news({}, Seen(tuple(first))))
    every = {s.key for s in (*first, *then)}
    assert find_news(told, Seen(tuple(then), undecided=every)) == News()


def test_what_nobody_asks_for_any_more_ends_without_a_word() -> None:
    failed = Situation(Topic.DEGRADED, "prod", "app", "1.0.0", "A", "failed")
    news = find_news({failed.key: failed}, Seen(dropped={failed.key}))
    assert (news.ended, news.notices) == ({failed.key}, ())


def test_400_hosts_with_one_cause_are_one_notice() -> None:
    hosts = [f"PROD-{number:03}" for number in range(400)]
    failed = tuple(
        Situation(Topic.DEGRADED, "prod", "app", "2.0.0", host, f"installer on {host} returned 1603")
        for host in hosts
    )
    (notice,) = find_news({}, Seen(failed)).notices
    assert notice.hosts == tuple(hosts)
    others = (*failed[:10], replace(failed[10], message="no disk"), replace(failed[11], version="3.0.0"))
    assert len(find_news({}, Seen(others)).notices) == 3


def test_notices_of_one_message_are_made_one_but_not_across_begin_and_end() -> None:
    one = Notice(Topic.DEGRADED, Phase.BEGAN, "prod", "app", "1", ("A",), message="x")
    other = replace(one, hosts=("B",))
    over = replace(one, phase=Phase.ENDED)
    assert merge([one, over, other]) == [replace(one, hosts=("A", "B")), over]


def rollout(wish: str, revision: str, *, complete: bool) -> Rollout:
    return Rollout("prod", wish, revision, f"Release {wish}", 4, 1, complete)


def test_a_rollout_is_told_when_it_is_complete_and_by_the_commit_that_asked_first() -> None:
    told: Told = {}
    notices: list[Notice] = []
    for wish, revision, complete in (
        ("w1", "r1", False),
        ("w1", "r2", False),  # a commit that asks for nothing else here
        ("w1", "r2", True),
        ("w1", "r3", True),
        ("w1", "r3", False),  # somebody took it off again: drift, no rollout
        ("w1", "r3", True),
        ("w2", "r4", False),
        ("w3", "r5", True),
        ("w1", "r6", True),  # back to what was: a rollout as well
    ):
        news = find_news(told, Seen(rollouts=(rollout(wish, revision, complete=complete),)))
        told = kept(told, news)
        notices += news.notices
    assert [(n.revision, n.count, n.left_out) for n in notices] == [("r1", 4, 1), ("r5", 4, 1), ("r6", 4, 1)]
    assert find_news(told, Seen()).ended == set(told), "an environment that is gone is forgotten"


def test_a_halt_of_another_version_is_another_halt() -> None:
    first = Situation(Topic.HALTED, "prod", "app", "1.0.0", message="x")
    told = kept({}, find_news({}, Seen((first,))))
    assert find_news(told, Seen((replace(first, message="more hosts failed"),))) == News()
    news = find_news(told, Seen((replace(first, version="2.0.0"),)))
    assert [(n.phase, n.version) for n in news.notices] == [(Phase.ENDED, "1.0.0"), (Phase.BEGAN, "2.0.0")]
