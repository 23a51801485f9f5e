"""Puts notices into words, by the templates beside.

Every value that a template puts in is cleaned for its kind of channel, so no template can forget it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from reconciler.desired.notifications import ChannelKind
from reconciler.notices.notice import Notice
from reconciler.notices.situations import merge
from reconciler.presentation.cards import for_card
from reconciler.presentation.mail import for_mail_header
from reconciler.presentation.terminal import for_terminal

MOST_NOTICES = 20
"""Notices that a message tells in full."""

MOST_NAMES = 8
"""Hosts that are named."""

MOST_CHARACTERS = 300
"""Characters of one value that are passed on."""

_TITLE_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class Words:
    """A message: its title, on one line, and its text."""

    title: str
    text: str


def put_into_words(notices: Sequence[Notice], kind: ChannelKind, message: str) -> Words:
    """Return the message that tells of notices.

    Args:
        notices: what to tell of, the oldest first; one at least.
        kind: the kind of the channel, by which values are escaped.
        message: the message's name: the same in each try, so that one who gets it twice can tell.
    """
    merged = merge(notices)
    told = [_told(notice, kind) for notice in merged[:MOST_NOTICES]]
    parts = list(told)
    left = merged[MOST_NOTICES:]
    if left:
        counted = Counter(f"{notice.topic} {notice.phase}" for notice in left)
        rest = ", ".join(f"{count} {what}" for what, count in sorted(counted.items()))
        parts.append(f"and {len(left)} more: {rest}. See reconciler history.")
    headline = told[0].splitlines()[0]
    title = headline if len(merged) == 1 else f"{len(merged)} notices: {headline}"
    # The title of a Teams card is Markdown as well, so it is cut where no escape can be torn.
    if len(title) > _TITLE_CHARACTERS:
        title = title[:_TITLE_CHARACTERS].rstrip("\\") + "…"
    if kind is ChannelKind.MAIL:
        title = for_mail_header(title)
    return Words(f"Reconciler: {title}", "\n\n".join([*parts, f"Message {message}"]))


def _clean(value: Any, kind: ChannelKind) -> str:
    """Return a value for a kind of channel. Slack's own characters are escaped by what sends to it."""
    function = for_card if kind is ChannelKind.TEAMS else for_terminal
    return function(value, MOST_CHARACTERS)


def _told(notice: Notice, kind: ChannelKind) -> str:
    named = ", ".join(notice.hosts[:MOST_NAMES])
    others = len(notice.hosts) - MOST_NAMES
    template = _environment(kind).get_template(f"{notice.topic}.j2")
    return template.render(
        notice=notice,
        began=notice.phase == "began",
        what=f"{notice.package} {notice.version or 'absent'}",
        who=notice.hosts[0] if len(notice.hosts) == 1 else f"{len(notice.hosts)} hosts",
        have="has" if len(notice.hosts) == 1 else "have",
        hosts=f"{named} and {others} others" if others > 0 else named,
    ).strip()


@cache
def _environment(kind: ChannelKind) -> Environment:
    return Environment(  # noqa: S701 - plain text, not HTML: `_clean` makes each value harmless on its way out
        loader=PackageLoader("reconciler.notices"),
        finalize=lambda value: _clean(value, kind),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
