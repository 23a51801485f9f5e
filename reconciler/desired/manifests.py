"""The four kinds of files, as pydantic models: what keys they have and what each means. Looks at one file only.

The descriptions go into the JSON Schemas, and from there into editors.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from reconciler.desired.findings import Rule
from reconciler.desired.layout import NAME_PATTERN, FileKind
from reconciler.kernel.identity import InvalidIdentity, normalise_guid, three_fields

_GUID_PATTERN = r"^\{?[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?$"
_VERSION_PATTERN = r"[0-9]{1,5}(\.[0-9]{1,5}){1,3}"
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")
_MSI_NAME = re.compile(r"""[^\\/:*?"<>|\x00-\x1f\x7f]+\.[Mm][Ss][Ii]""")
_DEVICE_NAME = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?")


def _refuse(message: str, hint: str) -> PydanticCustomError:
    return PydanticCustomError(Rule.INVALID_VALUE.value, "{message}", {"message": message, "hint": hint})


def _guid(text: str) -> str:
    try:
        return normalise_guid(text)
    except InvalidIdentity as error:
        raise _refuse(error.what, error.hint or "") from error


def _version(text: str) -> str:
    try:
        three_fields(text)
    except InvalidIdentity as error:
        raise _refuse(error.what, error.hint or "") from error
    return text


def _sha256(text: str) -> str:
    if _SHA256.fullmatch(text) is None:
        raise _refuse(f"{text!r} is not a SHA-256", "write 64 hexadecimal digits; sha256sum FILE prints them")
    return text.lower()


def _msi_name(text: str) -> str:
    if _MSI_NAME.fullmatch(text) is None or _DEVICE_NAME.fullmatch(text) is not None:
        raise _refuse(f"{text!r} is not the name of an MSI file", "write the file's own name, without folders")
    return text


@lru_cache(maxsize=4096)
def _label(text: str) -> str:
    if _LABEL.fullmatch(text) is None:
        hint = "letters and digits, with dots, hyphens, underscores or slashes between them, 63 at most"
        raise _refuse(f"{text!r} cannot be a label", hint)
    return text


def _text(pattern: str) -> WithJsonSchema:
    """Give editors a pattern; the real check is made by Python, which words its refusal better."""
    return WithJsonSchema({"type": "string", "pattern": pattern})


Guid = Annotated[str, AfterValidator(_guid), _text(_GUID_PATTERN)]
ProductVersion = Annotated[str, AfterValidator(_version), _text(f"^{_VERSION_PATTERN}$")]
Sha256 = Annotated[str, AfterValidator(_sha256), _text("^[0-9A-Fa-f]{64}$")]
MsiName = Annotated[str, AfterValidator(_msi_name), _text(r"""^[^\\/:*?"<>|]+\.[Mm][Ss][Ii]$""")]
Label = Annotated[str, AfterValidator(_label), _text(r"^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$")]
# What follows is checked where more is known than one value: properties need both name and value, and names and
# wanted versions must be in the catalog, which says more than a pattern could.
PropertyName = Annotated[str, _text("^[A-Z_][A-Z0-9_.]*$")]
Name = Annotated[str, _text(NAME_PATTERN)]
WantedVersion = Annotated[str, _text(f"^(absent|{_VERSION_PATTERN})$")]


class Manifest(BaseModel):
    """What all files and their parts share: keys in camelCase, none that is not known, no guessing of types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel)


class SettingsManifest(Manifest):
    """Settings of the whole desired state: reconciler.yaml at its root."""

    version: Literal[1] = Field(description="Version of the file format. This is version 1.")


class ArtifactManifest(Manifest):
    """The file to install, named by its content."""

    sha256: Sha256 = Field(description="SHA-256 of the file in hexadecimal. A file that differs is refused.")
    size: int = Field(gt=0, description="Size of the file in bytes.")
    file: MsiName = Field(description="The file's own name. A minor update may look for its source by it.")


class ReleaseManifest(Manifest):
    """One version of the package. `reconciler import FILE.msi` reads all of this from the MSI itself."""

    version: ProductVersion = Field(
        description="ProductVersion, such as 2.1.0. Windows compares the first three fields only."
    )
    product_code: Guid = Field(description="ProductCode of the MSI. Minor updates keep it, major upgrades do not.")
    package_code: Guid = Field(description="PackageCode of the MSI: different for each file that was ever built.")
    artifact: ArtifactManifest = Field(description="The MSI file.")
    properties: dict[PropertyName, str] = Field(
        default={},
        description="Public properties (upper-case names) given to the installer, such as INSTALLDIR.",
    )


class PackageManifest(Manifest):
    """A product family and its releases: catalog/<package>.yaml."""

    upgrade_code: Guid = Field(description="UpgradeCode that all releases of this product share.")
    releases: list[ReleaseManifest] = Field(
        default=[], description="The releases that environments and hosts can ask for."
    )


class EnvironmentManifest(Manifest):
    """A set of hosts and what they should have: <environment>/environment.yaml."""

    promotes_from: Name | None = Field(
        default=None, description="The environment whose versions are promoted to this one, such as uat for prod."
    )
    packages: dict[Name, WantedVersion] = Field(
        default={},
        description="Version of each package, or absent to have it removed. Packages not named are left alone.",
    )


class HostManifest(Manifest):
    """One host of an environment: <environment>/hosts/<host>.yaml."""

    labels: dict[Label, Label] = Field(default={}, description="Free words to tell hosts apart by, such as site.")
    packages: dict[Name, WantedVersion] = Field(
        default={}, description="Versions for this host alone, instead of its environment's; or absent."
    )


MANIFESTS: dict[FileKind, type[Manifest]] = {
    FileKind.SETTINGS: SettingsManifest,
    FileKind.PACKAGE: PackageManifest,
    FileKind.ENVIRONMENT: EnvironmentManifest,
    FileKind.HOST: HostManifest,
}
"""The model of each kind of file."""


def schema_of(kind: FileKind) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a kind of file."""
    return MANIFESTS[kind].model_json_schema(by_alias=True)
