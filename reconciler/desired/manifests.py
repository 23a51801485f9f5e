"""The five kinds of files, as pydantic models: what keys they have and what each means. Looks at one file only.

The descriptions go into the JSON Schemas, and from there into editors.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from reconciler.desired.fields import (
    EnvironmentName,
    GroupName,
    Guid,
    Label,
    Line,
    Member,
    MsiName,
    MstName,
    Name,
    ProductVersion,
    PropertyName,
    Sha256,
    Share,
    Signer,
    Source,
    Until,
    WantedVersion,
)
from reconciler.desired.layout import FileKind
from reconciler.desired.model import HALT_AFTER

MOST_OVERRIDES = 200
"""Overrides that an environment may have: each is held against each of its hosts."""

_SHA256 = "SHA-256 of the file in hexadecimal. A file that differs is refused."
_SIZE = "Size of the file in bytes."
_SOURCES = "Where the file can be had: http or https addresses, or full paths. They are tried in this order."
_OWNERS = "The groups that answer for it, by their names in reconciler.yaml. Their members review its changes."


class Manifest(BaseModel):
    """What all files and their parts share: keys in camelCase, none that is not known, no guessing of types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel)


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
    removals: RemovalsManifest = Field(
        default=RemovalsManifest(), description="How careful removals of packages from many hosts are."
    )


class ArtifactManifest(Manifest):
    """The file to install, named by its content."""

    sha256: Sha256 = Field(description=_SHA256)
    size: int = Field(gt=0, description=_SIZE)
    file: MsiName = Field(description="The file's own name. A minor update may look for its source by it.")
    sources: list[Source] = Field(default_factory=list, description=_SOURCES)
    signer: Signer | None = Field(
        default=None,
        description="Who must have signed the file: the common name (CN=…) or organisation (O=…) of the "
        "certificate. Hosts run nothing that it did not sign, and reconciler validate --artifacts checks it.",
    )


class TransformManifest(Manifest):
    """A transform (.mst) applied to the MSI, named by its content."""

    sha256: Sha256 = Field(description=_SHA256)
    size: int = Field(gt=0, description=_SIZE)
    file: MstName = Field(description="The file's own name.")
    sources: list[Source] = Field(default_factory=list, description=_SOURCES)


class ReleaseManifest(Manifest):
    """One version of the package. `reconciler import FILE.msi` reads all of this from the MSI itself."""

    version: ProductVersion = Field(
        description="ProductVersion, such as 2.1.0. Windows compares the first three fields only."
    )
    product_code: Guid = Field(description="ProductCode of the MSI. Minor updates keep it, major upgrades do not.")
    package_code: Guid = Field(description="PackageCode of the MSI: different for each file that was ever built.")
    artifact: ArtifactManifest = Field(description="The MSI file.")
    architecture: Literal["x64", "x86", "arm64"] | None = Field(
        default=None,
        description="The processors that the MSI is for. reconciler validate --artifacts checks it.",
    )
    properties: dict[PropertyName, str] = Field(
        default_factory=dict,
        description="Public properties (upper-case names) given to the installer, such as INSTALLDIR.",
    )
    transforms: list[TransformManifest] = Field(
        default_factory=list, description="Transforms applied to the MSI at install, in this order."
    )
    expects_reboot: bool = Field(
        default=False, description="Whether installing it is known to ask for a reboot; the plan says so."
    )
    issue: Line | None = Field(
        default=None, description="Address or key of the issue that the release belongs to. The plan shows it."
    )
    notes: str | None = Field(default=None, description="What a reviewer should know of the release.")


class PackageManifest(Manifest):
    """A product family and its releases: catalog/<package>.yaml."""

    title: Line | None = Field(default=None, description="The product's name for people.")
    upgrade_code: Guid = Field(description="UpgradeCode that all releases of this product share.")
    owners: list[Name] = Field(default_factory=list, description=_OWNERS)
    releases: list[ReleaseManifest] = Field(
        default_factory=list, description="The releases that environments and hosts can ask for."
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
    inherits: EnvironmentName | None = Field(
        default=None,
        description="The environment whose versions this one starts from. Nothing but versions is inherited.",
    )
    owners: list[Name] = Field(default_factory=list, description=_OWNERS)
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

    labels: dict[Label, Label] = Field(
        default_factory=dict, description="Free words to tell hosts apart by, such as site. Overrides go by them."
    )
    packages: dict[Name, WantedVersion] = Field(
        default_factory=dict, description="Versions for this host alone, instead of its environment's; or absent."
    )
    hold: HoldManifest | None = Field(default=None, description="Keeps this host as it is.")


class TenantManifest(Manifest):
    """Somebody whose environments lie in a folder of their own: <tenant>/tenant.yaml."""

    title: Line | None = Field(default=None, description="The tenant's name for people.")
    owners: list[Name] = Field(default_factory=list, description=_OWNERS)


MANIFESTS: dict[FileKind, type[Manifest]] = {
    FileKind.SETTINGS: SettingsManifest,
    FileKind.PACKAGE: PackageManifest,
    FileKind.ENVIRONMENT: EnvironmentManifest,
    FileKind.HOST: HostManifest,
    FileKind.TENANT: TenantManifest,
}
"""The model of each kind of file."""


def schema_of(kind: FileKind) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a kind of file."""
    return MANIFESTS[kind].model_json_schema(by_alias=True)
