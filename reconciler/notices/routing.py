"""Decides who is told of a notice, by the desired state's subscriptions. Pure."""

from __future__ import annotations

import re

from reconciler.desired.model import DesiredState
from reconciler.desired.notifications import ChannelKind, Subscription, Topic
from reconciler.notices.notice import Notice

Destination = tuple[str, str]
"""A channel's name, and a mail address where it is not whoever the channel's own address names."""

FOR_AUTHORS = frozenset({Topic.INVALID, Topic.REWRITTEN})
"""What the author of a commit is told himself."""

_MAIL = re.compile(r"<([A-Za-z0-9._%+'-]{1,64}@([A-Za-z0-9.-]{1,253}))>$")


def destinations(notice: Notice, desired: DesiredState) -> tuple[Destination, ...]:
    """Return who is told of a notice, each once.

    Args:
        notice: what is told.
        desired: the desired state in force.
    """
    found = {
        (subscription.channel, ""): None
        for subscription in desired.notifications.subscriptions
        if _fits(subscription, notice, desired)
    }
    # An author is whatever a commit says: nobody outside of the domains that somebody vouched for is written to.
    mails = [_MAIL.search(notice.author)] if notice.topic in FOR_AUTHORS else []
    mails += [_MAIL.search(f"<{address}>") for address in notice.people]
    for match in mails:
        for channel in desired.notifications.channels.values():
            if match is not None and channel.kind is ChannelKind.MAIL and match[2].lower() in channel.authors:
                found[(channel.name, match[1])] = None
    return tuple(found)


def _fits(subscription: Subscription, notice: Notice, desired: DesiredState) -> bool:
    if notice.topic not in subscription.topics:
        return False
    for wanted, concerned in (
        (subscription.environments, notice.environment),
        (subscription.packages, notice.package),
    ):
        if wanted is not None and concerned and concerned not in wanted:
            return False
    if subscription.groups is None or not (notice.environment or notice.package or notice.groups):
        return True
    owners = set(notice.groups)
    if (environment := desired.environments.get(notice.environment)) is not None:
        owners.update(environment.owners)
    if (package := desired.packages.get(notice.package)) is not None:
        owners.update(package.owners)
    return not owners.isdisjoint(subscription.groups)
