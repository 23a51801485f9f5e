"""The parts of files that say who may approve what, as pydantic models. Looks at one file only."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from reconciler.desired.fields import AccountId, GroupName, Identity, Line, PublicKey, Reporter, refuse
from reconciler.desired.manifest_model import Manifest

MOST_REQUIRED = 20
"""Approvals that a policy can ask for: more are a slip of the finger."""


class PersonManifest(Manifest):
    """Somebody who is known by several names."""

    known_as: list[Identity] = Field(
        default_factory=list,
        description="What this person is called: @login at the forge or an account here, and mail addresses.",
    )
    keys: list[PublicKey] = Field(
        default_factory=list,
        description="Public keys that this person signs commits with: an SSH one as in authorized_keys, or an "
        "OpenPGP one in armor.",
    )

    account_ids: list[AccountId] = Field(
        default_factory=list,
        description="The ids of this person's accounts at the forge, written as text. An approval by an account "
        "of the same login and another id is not counted.",
    )

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        if not self.known_as and not self.keys:
            raise refuse("nothing says who this is", "give knownAs or keys")
        return self


class ApprovalsManifest(Manifest):
    """What must be so before a commit counts."""

    required: int = Field(
        default=0,
        ge=0,
        le=MOST_REQUIRED,
        description="How many different people must approve. Whoever wrote a part of it, asked for it or pushed "
        "to it last is not counted.",
    )
    from_: list[GroupName] = Field(
        default_factory=list,
        alias="from",
        description="The groups of reconciler.yaml whose members may approve. required needs at least one.",
    )
    voided_by_push: bool = Field(
        default=True, description="Whether an approval counts no longer once something was pushed after it."
    )
    checks: list[Line] = Field(
        default_factory=list, description="Checks that must have passed, by their names at the forge."
    )
    reporters: dict[Line, Annotated[list[Reporter], Field(min_length=1)]] = Field(
        default_factory=dict,
        description="Who may report a check, by the check's name: app: and the name or id of an app at the forge, "
        "@login of an account, or a mail address. A report by anybody else is not counted.",
    )
    signed: bool = Field(
        default=False,
        description="Whether every commit must be signed by a key of somebody under people in reconciler.yaml.",
    )

    @model_validator(mode="after")
    def _check_reporters(self) -> Self:
        other = next((name for name in self.reporters if name not in self.checks), None)
        if other is not None:
            raise refuse(
                f"reporters names {other!r}, and checks does not require it", "list it under checks as well"
            )
        return self

    @model_validator(mode="after")
    def _check_groups(self) -> Self:
        if self.required and not self.from_:
            raise refuse("nobody may approve: from is missing", "name a group of reconciler.yaml under from")
        if self.from_ and not self.required:
            raise refuse("from says who may approve, and required that nobody must", "say how many under required")
        return self


class EmergencyManifest(Manifest):
    """Who may let a commit through without approvals when there is no time for them."""

    group: Annotated[
        GroupName,
        Field(
            description="The group of reconciler.yaml whose members may. Such a commit has the trailer Emergency: "
            "with the reason, and the signature of one of them."
        ),
    ]
