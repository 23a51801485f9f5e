"""Sends a message through a channel, by apprise. Tries once, and tells what failed without any of its secrets."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

from apprise import Apprise, NotifyFormat
from apprise.plugins import NotifyBase, url_to_dict

from reconciler.desired.notifications import Channel, ChannelKind
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.redaction import redact
from reconciler.notices.words import Words
from reconciler.presentation.terminal import for_terminal

_SCHEMAS: Mapping[ChannelKind, frozenset[str]] = {
    ChannelKind.MAIL: frozenset({"mailto", "mailtos"}),
    ChannelKind.TEAMS: frozenset({"workflow", "workflows"}),
    ChannelKind.SLACK: frozenset({"slack"}),
    ChannelKind.WEBHOOK: frozenset({"json", "jsons"}),
}
"""What apprise calls the ways of sending that a kind of channel may take."""

_MOST_CHARACTERS = 300
_HINT = "how addresses are written: docs/how-to/notify.md"

_APPRISE = logging.getLogger("apprise")
_APPRISE.propagate = False  # what it says may hold addresses


class NotSent(ReconcilerError):
    """A message was not sent, or nobody can tell whether it was."""

    reference = "not-sent"


def send(channel: Channel, recipient: str, words: Words, address: str) -> None:
    """Send a message once.

    Args:
        channel: by which way.
        recipient: the mail address, where it is not whoever the channel's own address names.
        words: the message.
        address: where the channel leads; it holds secrets.

    Raises:
        NotSent: it did not go out, or that is not certain.
    """
    service = _service(channel, address, recipient)
    with _listening() as said:
        sent = service.notify(body=words.text, title=words.title, body_format=NotifyFormat.TEXT)
    if not sent:
        raise NotSent(_harmless(" ".join(said), address) or "it was not taken", where=channel.name)


def _service(channel: Channel, address: str, recipient: str) -> NotifyBase:
    if channel.kind is ChannelKind.WEBHOOK and address.startswith(("http://", "https://")):
        address = "json" + address.removeprefix("http")
    # What is wrong with an address is not passed on: it would be told with the address.
    with _listening():
        parsed: dict[str, Any] | None = url_to_dict(address)  # type: ignore[no-untyped-call]
        if parsed is None or parsed.get("schema") not in _SCHEMAS[channel.kind]:
            raise NotSent(f"its address is not one of the kind {channel.kind}", hint=_HINT)
        if recipient:
            parsed |= {"targets": [recipient], "cc": None, "bcc": None}
        service = Apprise.instantiate(parsed)
    if not isinstance(service, NotifyBase):
        raise NotSent(f"its address is not complete for the kind {channel.kind}", hint=_HINT)
    return service


@contextmanager
def _listening() -> Iterator[list[str]]:
    """Give a list that takes up what apprise complains of in this thread, and keep it from the daemon's log."""
    said: list[str] = []
    thread = threading.get_ident()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == thread:
                said.append(record.getMessage())

    listener = Listener(logging.WARNING)
    _APPRISE.addHandler(listener)
    try:
        yield said
    finally:
        _APPRISE.removeHandler(listener)


def _harmless(text: str, address: str) -> str:
    """Return what was said of a failure, on one line, without anything that may be a secret of the address."""
    _, _, rest = address.partition("://")
    parts = {part for part in _split(rest) if len(part) >= 8}
    told = redact(text.replace(address, "…"), {*parts, *(unquote(part) for part in parts)})
    return for_terminal(told, _MOST_CHARACTERS)


def _split(rest: str) -> list[str]:
    for separator in "/?&=:@,":
        rest = rest.replace(separator, " ")
    return rest.split()
