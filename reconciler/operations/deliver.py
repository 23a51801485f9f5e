"""Sends what is due in one lane of the outbox: once, or again after a failure.

A message is named before it is sent, and marked as sent afterwards. So nothing is lost whatever crashes. Only
a crash between the two, or a channel that takes a message and says that it did not, tells something twice: then
with the same name.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable

from reconciler.desired.notifications import Channel
from reconciler.kernel.wire import decode
from reconciler.notices.notice import Notice
from reconciler.notices.pace import GIVE_UP_SECONDS, HOUR, delay_after, due_at
from reconciler.notices.sending import NotSent
from reconciler.notices.words import Words, put_into_words
from reconciler.site import Site
from reconciler.store.outbox import Lane, Letter, Trouble, Waiting

Send = Callable[[Channel, str, Words], None]
"""Sends a message through a channel to a recipient, or raises `NotSent`."""


def deliver(site: Site, waiting: Waiting, channel: Channel | None, send: Send) -> bool:
    """Send the next message of a lane, if one is due.

    Args:
        site: the installation.
        waiting: what waits in the lane.
        channel: the lane's channel; ``None`` where the desired state has it no longer: all in it is given up.
        send: sends one.

    Returns:
        whether one was sent.

    Raises:
        NotSent: it failed. When the next try is due, or that there is none, is on record.
    """
    lane, now = waiting.lane, site.clock()
    if channel is None:
        site.outbox.give_up(lane, None, now)
        return False
    if waiting.trouble is not None and now < waiting.trouble.next_at:
        return False
    letters = site.outbox.next_letters(lane)
    if not letters:
        return False
    message = letters[0].message
    if message is None:
        sent = site.outbox.sent_since(lane, now - HOUR)
        if now < due_at(letters[0].at, channel.gather, channel.most_per_hour, sent):
            return False
        message = secrets.token_hex(6)
        site.outbox.seal(lane, letters, message)
    try:
        send(channel, lane.recipient, _words(letters, channel, message))
    except NotSent as error:
        _note_failure(site, lane, message, waiting.trouble, error)
        raise
    site.outbox.sent(lane, message, site.clock())
    return True


def _words(letters: tuple[Letter, ...], channel: Channel, message: str) -> Words:
    return put_into_words(
        [decode(Notice, json.loads(letter.document)) for letter in letters], channel.kind, message
    )


def _note_failure(site: Site, lane: Lane, message: str, before: Trouble | None, error: NotSent) -> None:
    now = site.clock()
    since = before.since if before is not None else now
    if now - since >= GIVE_UP_SECONDS:
        site.outbox.give_up(lane, message, now)
        return
    failures = before.failures + 1 if before is not None else 1
    site.outbox.failed(lane, Trouble(failures, since, error.what, now + delay_after(failures)))
