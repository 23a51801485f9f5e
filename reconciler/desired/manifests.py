"""The kinds of files, as pydantic models: what keys they have and what each means. Looks at one file only.

The descriptions go into the JSON Schemas, and from there into editors.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from reconciler.desired.access_manifests import HostAddress, WinRMManifest
from reconciler.desired.approval_manifests import ApprovalsManifest, EmergencyManifest, PersonManifest
from reconciler.desired.fields import (
    Duration,
    EnvironmentName,
    GroupName,
    Label,
    Line,
    Member,
    Name,
    Share,
    Until,
    WantedVersion,
    refuse,
)
from reconciler.desired.layout import FileKind
from reconciler.desired.manifest_model import Manifest
from reconciler.desired.model import HALT_AFTER
from reconciler.desired.notification_manifests import NotificationsManifest
from reconciler.desired.package_manifests import OWNERS, package_model, package_schema

MOST_OVERRIDES = 200
"""Overrides that an environment may have: each is held against each of its hosts."""

_DRIVER_HINT = "add driver: winrm, or take them out"


class RemovalsManifest(Manifest):
    """How many hosts may lose a package at once."""

    share: Share = Field(
        default="25%",
        description="A removal that more than this share of an environment's hosts, and more than one of them, "
        "would see at once waits until the environment lists the package under confirm.",
    )


class SettingsManifest(Manifest):
    """Settings of the whole desired state: reconciler.yaml at its root."""

    version: Literal[1] = Field(description="Version of the file format. This is version 1.")
    groups: dict[GroupName, Annotated[list[Member], Field(min_length=1)]] = Field(
        default_factory=dict,
        description="Groups of people, by name. Members are written as in a CODEOWNERS file: @user, "
        "@organisation/team or an e-mail address.",
    )
    people: dict[Name, PersonManifest] = Field(
        default_factory=dict,
        description="People who are known by several names, by names of your own: so that nobody approves what "
        "they wrote themselves, and keys have owners.",
    )
    approvals: ApprovalsManifest | None = Field(
        default=None,
        description="What must be so before a commit counts for an environment, where neither it nor its tenant "
        "says so itself.",
    )
    emergency: EmergencyManifest | None = Field(
        default=None, description="Who may let a commit through without approvals. Without it, nobody."
    )
    removals: RemovalsManifest = Field(
        default=RemovalsManifest(), description="How careful removals of packages from many hosts are."
    )
    notifications: NotificationsManifest = Field(
        default=NotificationsManifest(), description="Who is told of what."
    )


class HoldManifest(Manifest):
    """A wish that nothing be done for a while."""

    reason: Line = Field(description="Why nothing is to be done. Whoever asks why a host waits is shown it.")
    until: Until | None = Field(
        default=None,
        description="When the hold ends, with its zone, such as 2026-12-01T08:00:00+02:00. Without it the hold "
        "stays until it is taken out.",
    )


class OverrideManifest(Manifest):
    """Versions for some hosts of an environment."""

    hosts: dict[Label, Label] = Field(
        min_length=1, description="The labels that a host must have, all of them, such as ring: canary."
    )
    packages: dict[Name, WantedVersion] = Field(
        description="Versions for these hosts, instead of the environment's; or absent."
    )


class EnvironmentManifest(Manifest):
    """A set of hosts and what they should have: <environment>/environment.yaml."""

    promotes_from: EnvironmentName | None = Field(
        default=None, description="The environment whose versions are promoted to this one, such as uat for prod."
    )
    soak: Duration | None = Field(
        default=None,
        description="How long a release must have been healthy in the environment that it is promoted from, such "
        "as 3d, before reconciler promote proposes it here: a number and s, m, h or d.",
    )
    inherits: EnvironmentName | None = Field(
        default=None,
        description="The environment whose versions this one starts from. Nothing but versions is inherited.",
    )
    owners: list[Name] = Field(default_factory=list, description=OWNERS)
    approvals: ApprovalsManifest | None = Field(
        default=None,
        description="What must be so before a commit counts for this environment, instead of what its tenant or "
        "reconciler.yaml says.",
    )
    packages: dict[Name, WantedVersion] = Field(
        default_factory=dict,
        description="Version of each package, or absent to have it removed. Packages not named are left alone.",
    )
    overrides: list[OverrideManifest] = Field(
        default_factory=list,
        max_length=MOST_OVERRIDES,
        description="Versions for hosts with certain labels. A later one goes before an earlier, and a host's own "
        "file before all.",
    )
    prune: bool = Field(
        default=False,
        description="Whether a package that was named here and is named no longer is removed from the hosts.",
    )
    confirm: list[Name] = Field(
        default_factory=list, description="Packages whose removal is meant, however many hosts lose them at once."
    )
    hold: HoldManifest | None = Field(default=None, description="Keeps all hosts of this environment as they are.")
    halt_after: int = Field(
        default=HALT_AFTER,
        ge=1,
        description="Once this many hosts have failed alike at a release of a package, hosts that have not tried "
        "it yet do not begin it.",
    )


class HostManifest(Manifest):
    """One host of an environment: <environment>/hosts/<host>.yaml."""

    driver: Literal["agent", "winrm"] = Field(
        default="agent",
        description="How the host is kept: by an agent that runs on it, or by the server, which reaches it by "
        "WinRM.",
    )
    address: HostAddress | None = Field(
        default=None,
        description="Where a host with the driver winrm is reached, instead of by its name: a name or address, "
        "or a URL such as https://prod-07.contoso.example:5986.",
    )
    winrm: WinRMManifest | None = Field(
        default=None, description="Which of the server's grants it signs in with. The driver winrm needs it."
    )
    labels: dict[Label, Label] = Field(
        default_factory=dict, description="Free words to tell hosts apart by, such as site. Overrides go by them."
    )
    packages: dict[Name, WantedVersion] = Field(
        default_factory=dict, description="Versions for this host alone, instead of its environment's; or absent."
    )
    hold: HoldManifest | None = Field(default=None, description="Keeps this host as it is.")

    @model_validator(mode="after")
    def _check_driver(self) -> Self:
        if self.driver == "winrm" and self.winrm is None:
            raise refuse(
                "the driver winrm needs a grant of the server to sign in with", "add winrm: {grant: NAME}"
            )
        if self.driver == "agent" and (self.winrm is not None or self.address is not None):
            raise refuse("address and winrm say how to reach a host, and an agent does that itself", _DRIVER_HINT)
        return self


class TenantManifest(Manifest):
    """Somebody whose environments lie in a folder of their own: <tenant>/tenant.yaml."""

    title: Line | None = Field(default=None, description="The tenant's name for people.")
    owners: list[Name] = Field(default_factory=list, description=OWNERS)
    approvals: ApprovalsManifest | None = Field(
        default=None,
        description="What must be so before a commit counts for the tenant's environments, where they do not say "
        "so themselves.",
    )


_MANIFESTS: dict[FileKind, type[Manifest]] = {
    FileKind.SETTINGS: SettingsManifest,
    FileKind.ENVIRONMENT: EnvironmentManifest,
    FileKind.HOST: HostManifest,
    FileKind.TENANT: TenantManifest,
}


def model_of(kind: FileKind, content: Any) -> type[Manifest]:
    """Return the model that a file is to be held against.

    Args:
        kind: what the file is, by its place.
        content: what it holds; of packages there are several kinds, and the file names its own.
    """
    return package_model(content) if kind is FileKind.PACKAGE else _MANIFESTS[kind]


def schema_of(kind: FileKind) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a kind of file."""
    return package_schema() if kind is FileKind.PACKAGE else _MANIFESTS[kind].model_json_schema(by_alias=True)
