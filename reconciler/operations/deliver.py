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
from reconciler.grants.credentials import secret_of
from reconciler.grants.loading import load_grants
from reconciler.grants.model import ChannelGrant, channel_grant, covers
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.wire import decode
from reconciler.notices.notice import Notice
from reconciler.notices.pace import GIVE_UP_SECONDS, HOUR, delay_after, due_at
from reconciler.notices.sending import NotSent
from reconciler.notices.words import Words, put_into_words
from reconciler.site import Site
from reconciler.store.outbox import Lane, Letter, Trouble, Waiting

Send = Callable[[Channel, str, Words, str], None]
"""Sends a message through a channel to a recipient, at the channel's address, or raises `NotSent`."""


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
        grant, address = _granted(site, channel)
        notices = _covered(grant, lane, letters)
        if not notices:
            site.outbox.give_up(lane, message, now)
            return False
        send(channel, lane.recipient, put_into_words(notices, channel.kind, message), address)
    except NotSent as error:
        _note_failure(site, lane, message, waiting.trouble, error)
        raise
    site.outbox.sent(lane, message, site.clock())
    return True


def _granted(site: Site, channel: Channel) -> tuple[ChannelGrant, str]:
    """Return the grant of a channel, and the address that it has now.

    Raises:
        NotSent: the server's configuration does not grant the channel, or its address cannot be read.
    """
    settings = site.settings
    try:
        grant = channel_grant(load_grants(settings.grants, settings.data), channel.grant)
        return grant, secret_of(grant.address, settings.data).strip()
    except ReconcilerError as error:
        raise NotSent(f"{error.what}: {error.hint}" if error.hint else error.what, where=error.where) from error


def _covered(grant: ChannelGrant, lane: Lane, letters: tuple[Letter, ...]) -> list[Notice]:
    """Return what the channel may carry of ``letters``: git does not widen what the server grants."""
    if lane.recipient and lane.recipient.rpartition("@")[2].lower() not in grant.authors:
        return []
    notices = (decode(Notice, json.loads(letter.document)) for letter in letters)
    return [notice for notice in notices if covers(grant.environments, notice.environment)]


def _note_failure(site: Site, lane: Lane, message: str, before: Trouble | None, error: NotSent) -> None:
    now = site.clock()
    since = before.since if before is not None else now
    if now - since >= GIVE_UP_SECONDS:
        site.outbox.give_up(lane, message, now)
        return
    failures = before.failures + 1 if before is not None else 1
    site.outbox.failed(lane, Trouble(failures, since, error.what, now + delay_after(failures)))
