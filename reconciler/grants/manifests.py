"""The grants file of the server, as pydantic models. Looks at nothing but that file."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from reconciler.desired.fields import GrantName, Line, MailDomain, refuse
from reconciler.desired.layout import ENVIRONMENT_PATTERN
from reconciler.desired.manifest_model import Manifest
from reconciler.grants.model import EVERYWHERE

_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:/[^\x00-\x1f]+")
_FILE = re.compile(r"file:/[^\x00-\x1f]+")
_ENVIRONMENT = re.compile(ENVIRONMENT_PATTERN)
_NAME_PATTERN = re.compile(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_NEEDS = {
    "ntlm": ("user", "password"),
    "basic": ("user", "password"),
    "kerberos": ("user",),
    "certificate": ("certificate", "key"),
}


def _reference(text: str) -> str:
    # What was written is not repeated: it may be the password itself.
    if _REFERENCE.fullmatch(text) is None:
        raise refuse("this is not a reference to a secret", "write env:NAME or file:/full/path, not the secret")
    return text


def _file_reference(text: str) -> str:
    if _FILE.fullmatch(text) is None:
        raise refuse("this is not a reference to a file", "write file:/full/path of a PEM file on this server")
    return text


def _environment(text: str) -> str:
    if text != EVERYWHERE and _ENVIRONMENT.fullmatch(text.removesuffix("/*")) is None:
        hint = "write an environment such as prod or acme/prod, acme/* for all of a tenant, or * for all"
        raise refuse(f"{text[:60]!r} does not name environments", hint)
    return text


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise refuse(f"{text[:60]!r} is not a network: {error}", "write one such as 10.20.0.0/16") from error
    return text


def _name_pattern(text: str) -> str:
    if _NAME_PATTERN.fullmatch(text) is None:
        hint = "write a name, or a domain with *. before it, such as *.prod.contoso.example"
        raise refuse(f"{text[:60]!r} is not a pattern of host names", hint)
    return text


Reference = Annotated[str, AfterValidator(_reference)]
FileReference = Annotated[str, AfterValidator(_file_reference)]
Environments = Annotated[list[Annotated[str, AfterValidator(_environment)]], Field(min_length=1)]
NetworkText = Annotated[str, AfterValidator(_network)]
NamePattern = Annotated[str, AfterValidator(_name_pattern)]

_ENVIRONMENTS = "The environments that may use it: names, acme/* for those of the tenant acme, or * for all."


class WinRMGrantManifest(Manifest):
    """How the server signs in to the WinRM service of hosts, and of which."""

    environments: Environments = Field(description=_ENVIRONMENTS)
    networks: list[NetworkText] = Field(
        min_length=1,
        description="The networks that hosts must be in, such as 10.20.0.0/16. Nothing is sent elsewhere.",
    )
    names: list[NamePattern] = Field(
        default_factory=list,
        description="Patterns of which the address must match one as well, such as *.prod.contoso.example.",
    )
    transport: Literal["ntlm", "kerberos", "basic", "certificate"] = Field(
        default="ntlm",
        description="How the server proves its identity. Over plain HTTP only ntlm and kerberos, which encrypt "
        "each message.",
    )
    user: Line | None = Field(
        default=None, description="The account, such as CONTOSO\\svc-reconciler. All but certificate need one."
    )
    password: Reference | None = Field(
        default=None, description="The password, as env:NAME or file:/full/path. ntlm and basic need one."
    )
    certificate: FileReference | None = Field(
        default=None, description="The client certificate, as file:/full/path of a PEM file."
    )
    key: FileReference | None = Field(default=None, description="The key of that certificate, likewise.")
    authority: FileReference | None = Field(
        default=None,
        description="The authority that signs the hosts' certificates, as file:/full/path of a PEM file. Without "
        "it, the public authorities are trusted.",
    )

    @model_validator(mode="after")
    def _check_needs(self) -> Self:
        missing = [name for name in _NEEDS[self.transport] if getattr(self, name) is None]
        if missing:
            raise refuse(f"{self.transport} needs {' and '.join(missing)}", "add them, or use another transport")
        return self


class ChannelGrantManifest(Manifest):
    """Where a notification channel leads."""

    environments: Environments = Field(
        description=_ENVIRONMENTS + " News of no environment goes only through a channel for all."
    )
    address: Reference = Field(description="The address of the channel, as env:NAME or file:/full/path.")
    authors: list[MailDomain] = Field(
        default_factory=list,
        description="The mail domains at which the channel may write to people themselves, such as example.com.",
    )


class SourcesManifest(Manifest):
    """Where artifacts may be fetched from, besides public addresses."""

    networks: list[NetworkText] = Field(
        default_factory=list, description="Networks that are not public, such as 10.9.0.0/24."
    )


class GrantsManifest(Manifest):
    """What the desired state may use of this server, by name."""

    version: Literal[1] = Field(description="Version of the file format. This is version 1.")
    winrm: dict[GrantName, WinRMGrantManifest] = Field(
        default_factory=dict, description="How hosts are reached by WinRM, by names that host files use."
    )
    notifications: dict[GrantName, ChannelGrantManifest] = Field(
        default_factory=dict, description="Where channels lead, by names that reconciler.yaml uses."
    )
    sources: SourcesManifest = Field(
        default=SourcesManifest(), description="Where artifacts may be fetched from, besides public addresses."
    )
