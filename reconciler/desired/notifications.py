"""Who is told of what, as the desired state says it: channels, and who subscribes to which topics. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

GATHER: Final = "60s"
"""How long a channel gathers what happens into one message, if nothing is set."""

MOST_PER_HOUR: Final = 20
"""How many messages a channel is sent in an hour at most, if nothing is set."""


REMIND: Final = "1d"
"""After how long those who may approve are told once more of a change that waits, if nothing is set."""

REMIND_SECONDS: Final = 86400.0
"""`REMIND` in seconds."""


class Topic(StrEnum):
    """What people can be told of. The values stand in reconciler.yaml.

    ``INVALID``: a revision that does not validate. ``REWRITTEN``: the branch was force-pushed. ``HALTED``: a
    release is halted in an environment, and goes on. ``DEGRADED``: a package on a host failed or needs a person,
    and has recovered. ``SILENT``: nothing is heard of a host, and it is back. ``ROLLED_OUT``: what an environment
    asks for is on all of its hosts that can be reached. ``REMOVAL``: a removal waits for a confirmation.
    ``REQUESTED``: a change waits for approvals, told again after a while. ``REJECTED``: somebody rejects a change.
    ``APPROVED``: a commit counts for an environment by its approvals. ``UNAPPROVED``: an environment stays where
    it is, as a commit is not approved for it, and goes on. ``EMERGENCY``: a commit passed without approvals.
    ``UNANCHORED``: no witness takes checkpoints of the audit chain, or the chain contradicts one. ``IDENTITY``: a
    machine asks to replace a host's key, or is in quarantine, and waits for a person's decision.
    """

    INVALID = "invalid"
    REWRITTEN = "rewritten"
    HALTED = "halted"
    DEGRADED = "degraded"
    SILENT = "silent"
    ROLLED_OUT = "rolledOut"
    REMOVAL = "removal"
    REQUESTED = "requested"
    REJECTED = "rejected"
    APPROVED = "approved"
    UNAPPROVED = "unapproved"
    EMERGENCY = "emergency"
    UNANCHORED = "unanchored"
    IDENTITY = "identity"


class ChannelKind(StrEnum):
    """The ways of telling. The values stand in reconciler.yaml."""

    MAIL = "mail"
    TEAMS = "teams"
    SLACK = "slack"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Channel:
    """One way of telling somebody.

    ``grant`` names the grant of the server's configuration that holds its address.
    ``gather`` is the seconds from something to tell to the message with it and all that came meanwhile;
    ``most_per_hour`` bounds the messages. ``authors`` are the mail domains at which those whom something concerns
    (authors of commits, who asked for a change or may approve it) are told themselves; only of the kind mail.
    """

    name: str
    kind: ChannelKind
    grant: str
    gather: float
    most_per_hour: int
    authors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a channel is told of. ``None`` stands for all environments, packages or groups."""

    channel: str
    topics: frozenset[Topic]
    environments: frozenset[str] | None = None
    packages: frozenset[str] | None = None
    groups: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Notifications:
    """All channels by name, and all subscriptions. ``remind``: seconds until a request is told once more."""

    channels: Mapping[str, Channel] = field(default_factory=dict)
    subscriptions: tuple[Subscription, ...] = ()
    remind: float = REMIND_SECONDS


NO_NOTIFICATIONS: Final = Notifications()
