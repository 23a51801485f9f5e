"""Untrusted text makes no markup: not at a forge, not in a Teams card, not on a page, not in a mail's headers."""

from __future__ import annotations

import email
import email.policy
import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from email.header import decode_header
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from reconciler.cli.change_text import as_markdown as change_as_markdown
from reconciler.desired.notifications import ChannelKind, Topic
from reconciler.kernel.visible_text import visible
from reconciler.notices.notice import Notice, Phase
from reconciler.notices.words import put_into_words
from reconciler.operations.forecast import Forecast, invalid_change, merge_report
from reconciler.operations.promote import moment
from reconciler.planning.comparison import Comparison
from reconciler.planning.proposal import Proposal
from reconciler.planning.proposal_report import as_message
from reconciler.planning.report import as_markdown
from reconciler.presentation.html import for_html, link
from reconciler.presentation.mail import LONGEST_HEADER, for_mail_header
from reconciler.presentation.markdown import as_block, for_markdown
from reconciler.presentation.terminal import for_terminal
from tests.security.commands_with_data import change_shown, made
from tests.security.hostile import PAYLOADS, Text

MARKUP = {
    "people": "@octocat ping @acme/admins, mail boss@example.com <at>boss</at>",
    "numeric people": "&#64;octocat &commat;all \\@all",
    "issues": "Fixes #12, closes GH-3 and acme/app#4; resolves https://github.com/acme/app/issues/5, fixes OPS-6",
    "gitlab": 'Closes !1 $2 &3 %4 %"Next" ~bug ~"needs review" ^alert#5 GL-6 [vulnerability:7]',
    "quick action": "/merge",
    "links": "[click](https://evil.example) <https://evil.example> www.evil.example [a]: https://evil.example",
    "images": "![a](https://evil.example/p.png) <img src=https://evil.example/p.png onerror=alert(1)>",
    "html": "<script>alert(1)</script><!-- --><details open><summary>x</summary>",
    "entities": "&lt;script&gt; &#60;b&#62; &amp;lt;",
    "code": "``` `x` ~~~ ```\n```\n# free",
    "table": "a | b | c \\| d \\\\| e\n| --- |",
    "heading": "# Approved",
    "setext": "===",
    "rule": "---",
    "list": "- [x] approved",
    "ordered": "1. approved",
    "quote": "> [!NOTE] approved",
    "container": "::: mermaid",
    "emphasis": "**bold** __bold__ *em* _em_ ~~gone~~ $x$ $`x`$",
    "footnote": "[^1]: x [[_TOC_]]",
    **PAYLOADS,
}

REFERENCES = re.compile(
    r"""
    @[\w"]                            # people
    | [#!$~%](?=["\w])                # issues, changes, snippets, labels, milestones
    | &\d | \bG[HL]-\d
    | :// | \bwww\.                   # addresses
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""What forges find in text that was rendered: GitHub, GitLab, Azure DevOps and Forgejo together."""

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def texts(payload: str) -> Text:
    numbers = itertools.count(1)
    return lambda: f"{payload}{next(numbers)}"


def shape(markdown: str) -> list[str]:
    """Return what a text is made of: its blocks, and the markup within them."""
    found: list[str] = []
    for token in PARSER.parse(markdown):
        found.append(f"{token.type} {token.tag}")
        found += [child.type for child in token.children or () if child.type != "text"]
    return found


def prose(markdown: str) -> str:
    """Return the text that shows outside of code, which is where forges look for references."""
    tokens: list[Token] = PARSER.parse(markdown)
    children = [child for token in tokens for child in (*(token.children or ()), Token("softbreak", "", 0))]
    return "".join(child.content if child.type == "text" else "\n" for child in children)


def _plan(text: Text) -> str:
    return as_markdown(made(Comparison, text))


def _forge_comment(text: Text) -> str:
    return merge_report(made(Comparison, text), (text(), text()))


def _findings_in_a_comment(text: Text) -> str:
    from reconciler.desired.findings import Finding

    forecast: Forecast = invalid_change([made(Finding, text)])
    return forecast.report


def _proposal(text: Text) -> str:
    # The trailer is read by programs, so it holds the names of environments as they are: their grammar is checked.
    proposal = replace(made(Proposal, text), source="uat", target="prod")
    message = as_message(proposal, moment)
    return message.partition("\n\n")[2]


def _change(text: Text) -> str:
    return "\n".join(change_as_markdown(change_shown(text)))


DOCUMENTS = [_plan, _forge_comment, _findings_in_a_comment, _proposal, _change]


@pytest.mark.parametrize("payload", MARKUP.values(), ids=MARKUP)
@pytest.mark.parametrize("document", DOCUMENTS)
def test_values_make_no_markdown(document: Callable[[Text], str], payload: str) -> None:
    hostile, plain = document(texts(payload)), document(texts("plain"))
    assert shape(hostile) == shape(plain)
    assert REFERENCES.findall(prose(hostile)) == REFERENCES.findall(prose(plain))
    assert [line for line in hostile.split("\n") if visible(line) != line] == []
    outside_code = re.sub(r"(?s)^(```+).*?^\1$", "", hostile, flags=re.MULTILINE)
    assert re.findall("(?m)^/", outside_code) == [], "GitLab would take it for a quick action"


@pytest.mark.parametrize("payload", MARKUP.values(), ids=MARKUP)
def test_a_value_shows_as_it_is_in_markdown(payload: str) -> None:
    for before in ("", "- ", "> ", "text\n", "# "):
        assert (
            prose(f"{before}{for_markdown(payload)}")
            .replace("\u200b", "")
            .strip()
            .endswith(" ".join(visible(payload).split()))
        )


@given(st.text(max_size=300))
def test_any_value_is_one_paragraph(text: str) -> None:
    cleaned = for_markdown(f"x{text}" if not visible(text).strip() else text)
    assert shape(cleaned) == ["paragraph_open p", "inline ", "paragraph_close p"]
    assert REFERENCES.findall(prose(cleaned)) == []


@given(st.text(alphabet="`~\n\r\\<a|# ", max_size=100))
def test_a_block_of_code_ends_where_it_should(text: str) -> None:
    assert shape(f"before\n\n{as_block(text, 'diff')}\n\nafter") == [
        *("paragraph_open p", "inline ", "paragraph_close p"),
        "fence code",
        *("paragraph_open p", "inline ", "paragraph_close p"),
    ]


@given(st.text(max_size=300))
def test_the_trailer_and_title_of_a_promotion_are_lines_of_their_own(text: str) -> None:
    proposal = replace(made(Proposal, texts("plain")), waiver=text or "x", source="uat", target="prod")
    lines = as_message(proposal, moment).split("\n")
    assert lines[1] == ""
    assert lines[-3] == "Promotes: uat -> prod"
    assert lines[-2].startswith("Unverified: ")


class _Parsed(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[Any] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(html: str) -> _Parsed:
    parser = _Parsed()
    parser.feed(html)
    parser.close()
    return parser


@pytest.mark.parametrize("payload", MARKUP.values(), ids=MARKUP)
def test_values_make_no_html(payload: str) -> None:
    found = parsed(f"<p title=\"{for_html(payload)}\" class='{for_html(payload)}'>{for_html(payload)}</p>")
    ((tag, attributes),) = found.tags
    assert (tag, set(attributes)) == ("p", {"title", "class"})
    assert found.text == attributes["title"] == for_terminal(payload)


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "https://github.com@evil.example/",
        "https://evil.example\\@github.com",
        " https://evil.example",
        "https://evil.example/\n",
        "file:///etc/passwd",
        "",
    ],
)
def test_only_the_web_is_linked(address: str) -> None:
    assert parsed(link(address, "x")).tags == []


def test_a_link_is_quoted() -> None:
    ((tag, attributes),) = parsed(link('https://e.example/?a="><b>&x=1', "<b>")).tags
    assert (tag, attributes["href"]) == ("a", 'https://e.example/?a="><b>&x=1')


@pytest.mark.parametrize(
    "payload",
    ["a\r\nBcc: all@example.com", "a\n\nbody", "=?utf-8?B?YQ0KQmNjOiBi?=", "a =?utf-8?q?=0d=0ab?= b", "x" * 5000],
)
def test_values_make_no_mail_headers(payload: str) -> None:
    cleaned = for_mail_header(payload)
    assert len(cleaned) <= LONGEST_HEADER + 10
    mail = email.message_from_string(f"Subject: {cleaned}\n\nbody", policy=email.policy.default)
    assert mail.keys() == ["Subject"]
    assert decode_header(cleaned) == [(cleaned, None)], "nothing in it is decoded by who reads it"


NOTICE = Notice(Topic.DEGRADED, Phase.BEGAN)


@pytest.mark.parametrize("payload", MARKUP.values(), ids=MARKUP)
@pytest.mark.parametrize("topic", Topic)
@pytest.mark.parametrize("kind", ChannelKind)
def test_notices_stay_as_their_templates_have_them(kind: ChannelKind, topic: Topic, payload: str) -> None:
    for phase in Phase:
        hostile, plain = (
            put_into_words([replace(made(Notice, texts(text)), topic=topic, phase=phase)], kind, "0")
            for text in (payload, "plain")
        )
        assert len(hostile.text.split("\n")) == len(plain.text.split("\n"))
        assert visible(hostile.title) == hostile.title
        assert [line for line in hostile.text.split("\n") if visible(line) != line] == []
        if kind is ChannelKind.TEAMS:
            assert "<" not in hostile.title + hostile.text
            assert shape(hostile.title) == shape(plain.title)
            assert [
                part for part in shape(hostile.text) if part.startswith(("link", "image", "html", "code"))
            ] == []
        if kind is ChannelKind.MAIL:
            assert decode_header(hostile.title) == [(hostile.title, None)]
