"""The part of reconciler.yaml that says who is told of what, as pydantic models."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from reconciler.desired.fields import (
    ChannelName,
    Duration,
    EnvironmentName,
    GrantName,
    MailDomain,
    Name,
)
from reconciler.desired.manifest_model import Manifest, Moved
from reconciler.desired.notifications import GATHER, MOST_PER_HOUR, REMIND

TopicName = Literal[
    "invalid",
    "rewritten",
    "halted",
    "degraded",
    "silent",
    "rolledOut",
    "removal",
    "requested",
    "rejected",
    "approved",
    "unapproved",
    "emergency",
    "unanchored",
    "identity",
]


class ChannelManifest(Manifest):
    """One way of telling somebody."""

    moved: ClassVar[dict[str, Moved]] = {
        "address": Moved(
            "the address of a channel is a setting of the server, not of Git",
            "write grant: NAME; in the file that RECONCILER_GRANTS names on the server, write "
            "notifications: {NAME: {environments: […], address: env:VARIABLE}}",
        )
    }

    kind: Literal["mail", "teams", "slack", "webhook"] = Field(
        description="By what it goes: mail, teams, slack or webhook."
    )
    grant: GrantName = Field(
        description="The grant of the server's configuration that holds the channel's address: an entry under "
        "notifications in its grants file."
    )
    gather: Duration = Field(
        default=GATHER,
        description="How long what happens is gathered into one message: a number and s, m, h or d.",
    )
    most_per_hour: int = Field(
        default=MOST_PER_HOUR,
        ge=1,
        le=1000,
        description="How many messages it is sent in an hour at most. What is more waits, and comes as one.",
    )
    authors: list[MailDomain] = Field(
        default_factory=list,
        description="Of a mail channel: the domains at which people are written to themselves, such as "
        "example.com: authors when a commit of theirs does not validate or rewrote history, who asked for a "
        "change when it is rejected, approved, rolled out or halted, and who may approve when one waits.",
    )


class SubscriptionManifest(Manifest):
    """What a channel is told of."""

    channel: Name = Field(description="The channel, by its name above.")
    of: Annotated[list[TopicName], Field(min_length=1)] | None = Field(
        default=None, description="The topics that it is told of. Without it, all."
    )
    environments: Annotated[list[EnvironmentName], Field(min_length=1)] | None = Field(
        default=None,
        description="Only what concerns these environments. What concerns no environment is told all the same.",
    )
    packages: Annotated[list[Name], Field(min_length=1)] | None = Field(
        default=None,
        description="Only what concerns these packages. What concerns no package is told all the same.",
    )
    groups: Annotated[list[Name], Field(min_length=1)] | None = Field(
        default=None,
        description="Only what concerns packages or environments that these groups own. What concerns neither is "
        "told all the same.",
    )


class NotificationsManifest(Manifest):
    """Who is told of what that happens, and by which way."""

    channels: dict[ChannelName, ChannelManifest] = Field(
        default_factory=dict, description="The ways of telling, by names of your own."
    )
    tell: list[SubscriptionManifest] = Field(
        default_factory=list, description="Which channel is told of what. A channel may stand here several times."
    )
    remind: Duration = Field(
        default=REMIND,
        description="After how long a change that still waits for approvals is told of once more: a number and s, "
        "m, h or d.",
    )
