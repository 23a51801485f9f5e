"""Settings in catalog files, as pydantic models: registry values, files and services. Looks at one only."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema, model_validator

from reconciler.desired.artifact_manifests import FileArtifactManifest
from reconciler.desired.fields import refuse
from reconciler.desired.manifest_model import Manifest
from reconciler.desired.practice_manifests import one_of
from reconciler.desired.windows_fields import (
    FileText,
    RegistryKey,
    ServiceName,
    ValueName,
    WindowsPath,
    has_control,
    without_network_path,
)

_BITS = {"REG_DWORD": 32, "REG_QWORD": 64}
_DIGITS = re.compile(r"0|[1-9][0-9]{0,19}")
_MOST_DATA = 16 * 1024


def _data(given: Any, info: ValidationInfo) -> Any:
    """Check data against its type, where that is known."""
    kind = info.data.get("type")
    if kind in _BITS:
        return _number(given, kind)
    if kind == "REG_MULTI_SZ":
        return _lines(given)
    if kind is None:
        return given
    if not isinstance(given, str):
        raise refuse(f"data of {kind} is text", 'put it in quotes, such as "5"')
    if has_control(given) or len(given) > _MOST_DATA:
        raise refuse("the data is not a line of text", f"write one line, {_MOST_DATA:,} characters at most")
    return without_network_path(given)


def _number(given: Any, kind: str) -> int:
    """Return a number; one of more digits than YAML numbers may have here is written as text."""
    text = str(given) if isinstance(given, int | str) and not isinstance(given, bool) else ""
    if _DIGITS.fullmatch(text) is None or int(text) >= 2 ** _BITS[kind]:
        raise refuse(f"data of {kind} is a whole number", f"write it in decimal, {2 ** _BITS[kind] - 1} at most")
    return int(text)


def _lines(given: Any) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(line, str) for line in given):
        raise refuse("data of REG_MULTI_SZ is a list of texts", "write [first, second], or [] for none")
    if any(not line or has_control(line) for line in given) or sum(map(len, given)) > _MOST_DATA:
        hint = f"write lines that are not empty, {_MOST_DATA:,} characters at most in all"
        raise refuse("data of REG_MULTI_SZ is a list of lines", hint)
    return [without_network_path(line) for line in given]


_Data = Annotated[
    Any,
    AfterValidator(_data),
    WithJsonSchema({"type": ["string", "integer", "array"], "items": {"type": "string"}}),
]


class RegistryManifest(Manifest):
    """A value of the registry, as 64-bit programs see it."""

    key: RegistryKey = Field(
        description="The key, such as HKLM\\SOFTWARE\\Contoso\\Agent. It is made where missing."
    )
    name: ValueName = Field(default="", description="The value's name; empty for the key's default value.")
    type: Literal["REG_SZ", "REG_EXPAND_SZ", "REG_MULTI_SZ", "REG_DWORD", "REG_QWORD"] = Field(
        description="The value's type."
    )
    data: _Data = Field(
        description="The value's data: text; a list of texts for REG_MULTI_SZ; a whole number for REG_DWORD and "
        "REG_QWORD."
    )


class FileManifest(Manifest):
    """A file with the content that it should have."""

    model_config = ConfigDict(json_schema_extra=one_of("text", "artifact"))

    path: WindowsPath = Field(description="Where the file lies, in full. Its folder is made where missing.")
    text: FileText | None = Field(
        default=None,
        description="The whole content of the file, written in UTF-8 with the line ends as they are here.",
    )
    artifact: FileArtifactManifest | None = Field(
        default=None, description="The file itself, where its content is no short text."
    )

    @model_validator(mode="after")
    def _one_content(self) -> Self:
        if (self.text is None) == (self.artifact is None):
            found = "none" if self.text is None else "both"
            hint = "write a short text here, or name the file by its sha256 as an artifact"
            raise refuse(f"expected one of text and artifact, found {found}", hint)
        return self


class ServiceManifest(Manifest):
    """How a service should be. The service must be there: it is not made."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["start"]}, {"required": ["state"]}]})

    name: ServiceName = Field(description="The service's own name, not its display name.")
    start: Literal["automatic", "manual", "disabled"] | None = Field(
        default=None, description="When Windows starts it."
    )
    state: Literal["running", "stopped"] | None = Field(default=None, description="Whether it should run now.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.start is None and self.state is None:
            raise refuse(f"nothing is said of the service {self.name}", "say start, state or both")
        if self.start == "disabled" and self.state == "running":
            raise refuse(f"the service {self.name} cannot both be disabled and run", "change one of the two")
        return self
