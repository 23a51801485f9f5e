"""Catalog files, as pydantic models: each kind of package has keys of its own. Looks at one file only."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from reconciler.desired.artifact_manifests import (
    ArtifactManifest,
    ExeArtifactManifest,
    MsiArtifactManifest,
    MspArtifactManifest,
    TransformManifest,
)
from reconciler.desired.configuration_manifests import FileManifest, RegistryManifest, ServiceManifest
from reconciler.desired.fields import Guid, Line, Name, ProductVersion, ProgramVersion, PropertyName, refuse
from reconciler.desired.manifest_model import Manifest
from reconciler.desired.practice_manifests import PractisedManifest, one_of
from reconciler.desired.windows_fields import (
    Arguments,
    CommandLine,
    ExitCode,
    FeatureName,
    RegistryKey,
    ValueName,
    WindowsPath,
)

MOST_SETTINGS = 200
"""Settings of one sort that a release may have: a host is asked for each of them at every look."""

OWNERS = "The groups that answer for it, by their names in reconciler.yaml. Their members review its changes."

_KIND = (
    "What the package is: msi (a product of Windows Installer), msp (patches of such products), exe (a program "
    "with an installer of its own) or configuration (settings)."
)
_RELEASES = "The releases that environments and hosts can ask for."
_VERSION = "Version of the release: two to four numbers, such as 120.0.6099.130."


class ReleaseManifest(Manifest):
    """What releases of all kinds can say."""

    version: str
    expects_reboot: bool = Field(
        default=False, description="Whether installing it is known to ask for a reboot; the plan says so."
    )
    issue: Line | None = Field(
        default=None, description="Address or key of the issue that the release belongs to. The plan shows it."
    )
    notes: str | None = Field(default=None, description="What a reviewer should know of the release.")


class FileReleaseManifest(ReleaseManifest):
    """What releases say that are one file to be installed."""

    artifact: ArtifactManifest


class InstallerReleaseManifest(FileReleaseManifest):
    """What releases say that Windows Installer installs."""

    properties: dict[PropertyName, str] = Field(
        default_factory=dict,
        description="Public properties (upper-case names) given to the installer, such as INSTALLDIR.",
    )


class MsiReleaseManifest(InstallerReleaseManifest):
    """One version of the product. `reconciler import FILE.msi` reads its codes from the MSI itself."""

    version: ProductVersion = Field(
        description="ProductVersion, such as 2.1.0. Windows compares the first three fields only."
    )
    product_code: Guid = Field(description="ProductCode of the MSI. Minor updates keep it, major upgrades do not.")
    package_code: Guid = Field(description="PackageCode of the MSI: different for each file that was ever built.")
    artifact: MsiArtifactManifest = Field(description="The MSI file.")
    architecture: Literal["x64", "x86", "arm64"] | None = Field(
        default=None,
        description="The processors that the MSI is for. reconciler validate --artifacts checks it.",
    )
    features: list[FeatureName] = Field(
        default_factory=list,
        description="Features of the MSI to install, by their names in it, or ALL. Without it, the package's own "
        "choice. A minor update adds features and removes none.",
    )
    transforms: list[TransformManifest] = Field(
        default_factory=list, description="Transforms applied to the MSI at install, in this order."
    )

    @model_validator(mode="after")
    def _features_once(self) -> Self:
        twice = sorted({name for name in self.features if self.features.count(name) > 1})
        if twice:
            raise refuse(f"the feature {twice[0]} is listed twice", "list each feature once")
        return self


class PatchReleaseManifest(InstallerReleaseManifest):
    """One patch. `reconciler import FILE.msp` reads its codes from the patch itself."""

    version: ProgramVersion = Field(description=_VERSION)
    patch_code: Guid = Field(description="PatchCode: what Windows knows the patch by.")
    targets: list[Guid] = Field(
        min_length=1, description="ProductCodes of the products that the patch can be applied to."
    )
    removable: bool = Field(
        default=False,
        description="Whether Windows can take the patch off again. Else its product is installed anew without it.",
    )
    artifact: MspArtifactManifest = Field(description="The patch file.")


class ProgramReleaseManifest(FileReleaseManifest):
    """One version of a program."""

    version: ProgramVersion = Field(
        description="The version that detect finds where it is installed, such as 120.0.6099.130."
    )
    artifact: ExeArtifactManifest = Field(description="The installer.")
    arguments: Arguments | None = Field(
        default=None, description="Arguments of this release's installer, instead of the package's."
    )


class ConfigurationReleaseManifest(ReleaseManifest):
    """One version of a set of settings."""

    version: ProgramVersion = Field(description=_VERSION)
    registry: list[RegistryManifest] = Field(
        default_factory=list, max_length=MOST_SETTINGS, description="Values of the registry."
    )
    files: list[FileManifest] = Field(
        default_factory=list, max_length=MOST_SETTINGS, description="Files with the content they should have."
    )
    services: list[ServiceManifest] = Field(
        default_factory=list, max_length=MOST_SETTINGS, description="How services should be."
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.registry or self.files or self.services):
            hint = "name what it sets: registry, files or services"
            raise refuse(f"the release {self.version} sets nothing", hint)
        return self


class RegistryValueManifest(Manifest):
    """A value of the registry that holds a version."""

    key: RegistryKey = Field(description="The key, as 64-bit programs see it, such as HKLM\\SOFTWARE\\Contoso.")
    name: ValueName = Field(default="", description="The value's name; empty for the key's default value.")


class DetectManifest(Manifest):
    """How a host is asked which version of a program it has."""

    model_config = ConfigDict(json_schema_extra=one_of("fileVersion", "registry"))

    file_version: WindowsPath | None = Field(
        default=None, description="The full path of a file that has the program's version; absent with it."
    )
    registry: RegistryValueManifest | None = Field(
        default=None, description="A value that holds the program's version; absent with it."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.file_version is None) == (self.registry is None):
            found = "none" if self.registry is None else "both"
            hint = "name a file of the program by its full path, or the registry value with its version"
            raise refuse(f"expected one of fileVersion and registry, found {found}", hint)
        return self


class PackageManifest(PractisedManifest):
    """What catalog files of all kinds can say."""

    kind: str
    title: Line | None = Field(default=None, description="The package's name for people.")
    owners: list[Name] = Field(default_factory=list, description=OWNERS)
    releases: Sequence[ReleaseManifest]


class MsiPackageManifest(PackageManifest):
    """A product family of Windows Installer and its releases."""

    kind: Literal["msi"] = Field(default="msi", description=_KIND)
    upgrade_code: Guid = Field(description="UpgradeCode that all releases of this product share.")
    releases: list[MsiReleaseManifest] = Field(default_factory=list, description=_RELEASES)


class PatchPackageManifest(PackageManifest):
    """Patches of installed products, each a release."""

    kind: Literal["msp"] = Field(description=_KIND)
    releases: list[PatchReleaseManifest] = Field(default_factory=list, description=_RELEASES)


class ProgramPackageManifest(PackageManifest):
    """A program with an installer of its own."""

    kind: Literal["exe"] = Field(description=_KIND)
    detect: DetectManifest = Field(
        description="How a host is asked which version it has: fileVersion or registry."
    )
    arguments: Arguments = Field(
        default="", description="Arguments that make the installer run without questions."
    )
    uninstall: CommandLine | None = Field(
        default=None, description="The command line that removes the program. Without it nothing can."
    )
    success_codes: list[ExitCode] = Field(
        default_factory=lambda: [0], min_length=1, description="Exit codes of the installer that mean success."
    )
    reboot_codes: list[ExitCode] = Field(
        default_factory=lambda: [3010, 1641],
        description="Exit codes of the installer that mean success with a reboot still to come.",
    )
    releases: list[ProgramReleaseManifest] = Field(default_factory=list, description=_RELEASES)

    @model_validator(mode="after")
    def _codes(self) -> Self:
        both = sorted({*self.success_codes} & {*self.reboot_codes})
        if both:
            message = f"{both[0]} is one of successCodes and of rebootCodes"
            raise refuse(message, "say of each exit code whether it asks for a reboot: take it out of one list")
        return self


class ConfigurationPackageManifest(PackageManifest):
    """Settings that hosts should have."""

    kind: Literal["configuration"] = Field(description=_KIND)
    releases: list[ConfigurationReleaseManifest] = Field(default_factory=list, description=_RELEASES)


class _OfNoKind(Manifest):
    """What is said to a file of a kind that there is not: nothing but that."""

    model_config = ConfigDict(extra="ignore")

    kind: Literal["msi", "msp", "exe", "configuration"] = Field(description=_KIND)


PACKAGE_MANIFESTS: dict[str, type[PackageManifest]] = {
    "msi": MsiPackageManifest,
    "msp": PatchPackageManifest,
    "exe": ProgramPackageManifest,
    "configuration": ConfigurationPackageManifest,
}
"""The model of each kind of package; the first is that of a file that names none."""


def package_model(content: Any) -> type[Manifest]:
    """Return the model that a catalog file is to be held against, by the kind that it names."""
    kind = content.get("kind", "msi") if isinstance(content, dict) else "msi"
    return PACKAGE_MANIFESTS.get(kind, _OfNoKind) if isinstance(kind, str) else _OfNoKind


def kind_with(key: str) -> str | None:
    """Return a kind of package that has a key, of the file as a whole or of its releases; ``None`` for none."""
    for kind, model in PACKAGE_MANIFESTS.items():
        parts = (model, *typing.get_args(model.model_fields["releases"].annotation))
        if any(field.alias == key for part in parts for field in part.model_fields.values()):
            return kind
    return None


def package_schema() -> dict[str, Any]:
    """Return the JSON Schema of catalog files: one within it for each kind, chosen by ``kind``.

    Where no kind is named the file is an MSI's, so that no editor complains of the keys of other kinds.
    """
    definitions: dict[str, Any] = {}
    choices: list[dict[str, Any]] = []
    for kind, model in PACKAGE_MANIFESTS.items():
        schema = model.model_json_schema(by_alias=True)
        definitions |= schema.pop("$defs", {})
        definitions[model.__name__] = schema
        named = {"properties": {"kind": {"const": kind}}, "required": ["kind"] if kind != "msi" else []}
        choices.append({"if": named, "then": {"$ref": f"#/$defs/{model.__name__}"}})
    return {
        "$defs": dict(sorted(definitions.items())),
        "type": "object",
        "properties": {"kind": {"enum": [*PACKAGE_MANIFESTS], "default": "msi", "description": _KIND}},
        "allOf": choices,
    }
