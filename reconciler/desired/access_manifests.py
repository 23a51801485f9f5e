"""What a host's file says of how the server reaches it, as a pydantic model. Looks at one file only."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from reconciler.desired.fields import Line, refuse, text_schema
from reconciler.desired.manifest_model import Manifest

_REFERENCE_PATTERN = r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:/[^\x00-\x1f]+)$"
_FILE_PATTERN = r"^file:/[^\x00-\x1f]+$"
_ADDRESS_PATTERN = (
    r"^(https?://)?([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{0,4})?$"
)
_NEEDS = {
    "ntlm": ("user", "password"),
    "basic": ("user", "password"),
    "kerberos": ("user",),
    "certificate": ("certificate", "key"),
}


def _secret(text: str) -> str:
    # What was written is not repeated: it may be the password itself.
    if re.fullmatch(_REFERENCE_PATTERN, text) is None:
        hint = "write env:NAME or file:/full/path, never the secret itself"
        raise refuse("this does not refer to a secret", hint)
    return text


def _file_reference(text: str) -> str:
    if re.fullmatch(_FILE_PATTERN, text) is None:
        raise refuse(f"{text[:60]!r} does not refer to a file", "write file:/full/path of a file on the server")
    return text


def _address(text: str) -> str:
    port = text.rpartition(":")[2]
    if re.fullmatch(_ADDRESS_PATTERN, text) is None or (port.isdigit() and int(port) > 65535):
        hint = "write a name or address, with or without http:// or https:// before and a port after"
        raise refuse(f"{text[:60]!r} is not where a host can be reached", hint)
    return text


SecretReference = Annotated[str, AfterValidator(_secret), text_schema(_REFERENCE_PATTERN)]
FileReference = Annotated[str, AfterValidator(_file_reference), text_schema(_FILE_PATTERN)]
HostAddress = Annotated[str, AfterValidator(_address), text_schema(_ADDRESS_PATTERN)]


class WinRMManifest(Manifest):
    """How the server comes in at a host's WinRM service. Secrets stand elsewhere and are referred to."""

    transport: Literal["ntlm", "kerberos", "basic", "certificate"] = Field(
        default="ntlm",
        description="How the server proves who it is. Over plain HTTP only ntlm and kerberos, which encrypt each "
        "message.",
    )
    user: Line | None = Field(
        default=None, description="The account, such as CONTOSO\\svc-reconciler. All but certificate need one."
    )
    password: SecretReference | None = Field(
        default=None,
        description="Where the password stands: env:NAME or file:/full/path. ntlm and basic need one.",
    )
    certificate: FileReference | None = Field(
        default=None, description="The client certificate for certificate, as file:/full/path of a PEM file."
    )
    key: FileReference | None = Field(
        default=None, description="The key of that certificate, as file:/full/path of a PEM file."
    )
    authority: FileReference | None = Field(
        default=None,
        description="Who must have signed the host's certificate, as file:/full/path of a PEM file. Without it, "
        "the public authorities are trusted.",
    )

    @model_validator(mode="after")
    def _check_needs(self) -> Self:
        needs = _NEEDS[self.transport]
        missing = [name for name in needs if getattr(self, name) is None]
        if missing:
            raise refuse(f"{self.transport} needs {' and '.join(missing)}", "give them, or another transport")
        return self
