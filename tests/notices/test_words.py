"""What people read: short, and harmless whatever hosts and commits say."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.desired.notifications import ChannelKind, Topic
from reconciler.notices.notice import Notice, Phase
from reconciler.notices.words import MOST_NOTICES, put_into_words
from reconciler.presentation.cards import for_card

TEXT = st.text(max_size=600)


@given(st.sampled_from(Topic), st.sampled_from(Phase), TEXT, TEXT, TEXT, st.sampled_from(ChannelKind))
def test_untrusted_text_stays_on_its_line(
    topic: Topic, phase: Phase, message: str, subject: str, host: str, kind: ChannelKind
) -> None:
    plain = Notice(topic, phase, "prod", "app", "1.0.0", ("h",), "c" * 40, "s", "a <a@example.com>", 1, 0, "m")
    hostile = Notice(topic, phase, "prod", "app", "1.0.0", (host,), "c" * 40, subject, message, 1, 0, message)
    expected, found = put_into_words([plain], kind, "0"), put_into_words([hostile], kind, "0")
    assert "\n" not in found.title
    assert len(found.title) < 200
    assert len(found.text.splitlines()) <= len(expected.text.splitlines())
    assert len(found.text) < 4000
    assert all(c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Zl", "Zp") for c in found.text)


@given(TEXT)
def test_teams_gets_no_markup(text: str) -> None:
    cleaned = for_card(text)
    assert "<" not in cleaned
    assert "[" not in cleaned.replace("\\\\", "").replace("\\[", "")


@pytest.mark.parametrize("template", ["{{ 7 * 7 }}", "{% include 'halted.j2' %}", "{{ notice.__class__ }}"])
def test_templates_do_not_run_what_they_show(template: str) -> None:
    notice = Notice(Topic.HALTED, Phase.BEGAN, "prod", "app", "1.0.0", message=template)
    assert template in put_into_words([notice], ChannelKind.MAIL, "0").text


def test_every_topic_has_words_for_its_phases() -> None:
    for topic in Topic:
        for phase in Phase:
            for hosts in ((), ("A",), ("A", "B")):
                if not hosts and topic in (Topic.DEGRADED, Topic.SILENT):
                    continue
                notice = Notice(
                    topic, phase, "prod", "app", "1.0.0", hosts, "c" * 40, "Subject", "A <a@b.c>", 3, 1
                )
                said = put_into_words([notice], ChannelKind.MAIL, "0")
                assert len(said.title) > len("Reconciler: ")
                assert "\n\n\n" not in said.text


def test_the_words() -> None:
    hosts = tuple(f"PROD-{number:02}" for number in range(12))
    failed = Notice(Topic.DEGRADED, Phase.BEGAN, "prod", "app", "2.0.0", hosts, message="returned 1603")
    rolled = Notice(Topic.ROLLED_OUT, Phase.BEGAN, "dev", revision="c" * 9, subject="Agent 2", count=4, left_out=1)
    said = put_into_words([failed, rolled], ChannelKind.MAIL, "c0ffee")
    assert said.title == "Reconciler: 2 notices: 12 hosts of prod degraded: app 2.0.0"
    assert said.text == (
        "12 hosts of prod degraded: app 2.0.0\n"
        "returned 1603\n"
        "PROD-00, PROD-01, PROD-02, PROD-03, PROD-04, PROD-05, PROD-06, PROD-07 and 4 others\n"
        "To see what ran: reconciler trace PROD-00 app\n"
        "\n"
        "revision ccccccccc is rolled out in dev\n"
        "Agent 2\n"
        "4 hosts have it. Left out, as nothing is heard of them: 1.\n"
        "\n"
        "Message c0ffee"
    )


def test_a_flood_is_summed_up() -> None:
    flood = [
        Notice(Topic.DEGRADED, Phase.BEGAN, "prod", f"app{number}", "1", ("A",))
        for number in range(MOST_NOTICES + 50)
    ]
    said = put_into_words(flood, ChannelKind.MAIL, "0")
    assert "and 50 more: 50 degraded began. See reconciler history." in said.text
    assert said.text.count("degraded: app") == MOST_NOTICES
