"""The kinds of values that name things on a Windows host: how each is written. Knows no host."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from reconciler.desired.fields import VERSION_PATTERN, is_file_name, refuse, seconds_of, text_schema
from reconciler.desired.findings import Rule
from reconciler.kernel.network_paths import NETWORK_HINT, network_path_in

MOST_COMMAND = 2000
"""Characters that a command line may have."""

MOST_TEXT = 64 * 1024
"""Characters that the text of a placed file may have: longer files are artifacts."""

_MOST_PATH = 259
_MOST_KEY = 255

_SERVICE_PATTERN = r"^[^\\/\x00-\x1f]{1,256}$"
_KEY_PATTERN = r"^HKLM(\\[^\\\x00-\x1f]+)+$"
_PATH_PATTERN = r"""^[A-Za-z]:(\\[^\\/:*?"<>|\x00-\x1f]+)+$"""
_FEATURE_PATTERN = r"^[A-Za-z_][A-Za-z0-9_.]{0,37}$"
_ADDRESS_PATTERN = r"^https?://[^/?#@\s\x00-\x1f]+([/?][^\s\x00-\x1f]*)?$"

_ESSENTIAL = frozenset(
    f"{name}.exe" for name in ("csrss", "lsass", "msiexec", "services", "smss", "svchost", "wininit", "winlogon")
)
"""Programs without which Windows, or an install that is under way, comes to an end."""

_FEATURE = re.compile(_FEATURE_PATTERN)
_SERVICE = re.compile(_SERVICE_PATTERN)
_KEY = re.compile(_KEY_PATTERN)
_PATH = re.compile(_PATH_PATTERN)
_ADDRESS = re.compile(_ADDRESS_PATTERN)
_VERSION = re.compile(VERSION_PATTERN)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROL_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")


def has_control(text: str) -> bool:
    """Return whether a text of one line holds what can be neither seen nor written to a host faithfully."""
    return _CONTROL.search(text) is not None


def _service(text: str) -> str:
    if _SERVICE.fullmatch(text) is None or has_control(text) or text != text.strip():
        hint = "write the service's own name, as sc query prints it, not its display name"
        raise refuse(f"{text[:60]!r} is not the name of a service", hint)
    return text


def _image(text: str) -> str:
    if not is_file_name(text, ".exe") or len(text) > _MOST_KEY:
        hint = "write the name of the program's file without folders, such as agent.exe"
        raise refuse(f"{text[:60]!r} is not the name of a process", hint)
    if text.lower() in _ESSENTIAL:
        hint = "name only programs that would keep the package's own files in use"
        raise refuse(f"{text} is a part of Windows that must not be ended", hint)
    return text


def _command(text: str) -> str:
    if not text.strip() or has_control(text) or len(text) > MOST_COMMAND:
        raise refuse(
            f"{text[:60]!r} is not a command line", f"write one line, {MOST_COMMAND:,} characters at most"
        )
    return without_network_path(text)


def without_network_path(text: str) -> str:
    """Return ``text``, or refuse it where it leads over the network."""
    if (share := network_path_in(text)) is not None:
        raise PydanticCustomError(
            Rule.NETWORK_PATH.value,
            "{message}",
            {"message": f"{share} leads over the network", "hint": NETWORK_HINT},
        )
    return text


def _feature(text: str) -> str:
    if _FEATURE.fullmatch(text) is None:
        hint = "write the name in the Feature table of the MSI: letters, digits, dots, underscores, 38 at most"
        raise refuse(f"{text[:60]!r} is not the name of a feature", hint)
    return text


def _arguments(text: str) -> str:
    return _command(text) if text else text


def _key(text: str) -> str:
    parts = text.split("\\")[1:]
    if _KEY.fullmatch(text) is None or has_control(text) or any(len(part) > _MOST_KEY for part in parts):
        hint = r"write it as HKLM\SOFTWARE\Contoso\Agent: only keys of the machine, as 64-bit programs see them"
        raise refuse(f"{text[:60]!r} is not a registry key", hint)
    return text


def _value_name(text: str) -> str:
    if has_control(text) or len(text) > _MOST_KEY:
        hint = f"write one line, {_MOST_KEY} characters at most; leave it empty for the key's default value"
        raise refuse(f"{text[:60]!r} is not the name of a registry value", hint)
    return text


def _path(text: str) -> str:
    without_network_path(text)
    usable = _PATH.fullmatch(text) is not None and len(text) <= _MOST_PATH
    if not usable or not all(is_file_name(part) for part in text.split("\\")[1:]):
        hint = r"write it in full, such as C:\Program Files\Contoso\agent.exe; variables are not replaced"
        raise refuse(f"{text[:60]!r} is not the full path of a file", hint)
    return text


def _address(text: str) -> str:
    if _ADDRESS.fullmatch(text) is None or has_control(text) or len(text) > MOST_COMMAND:
        hint = "write it as the host itself would reach it, such as http://localhost:8080/health"
        raise refuse(f"{text[:60]!r} is not an http or https address", hint)
    return text


def _file_version(text: str) -> str:
    if _VERSION.fullmatch(text) is None:
        raise refuse(f"{text[:60]!r} is not a version of a file", "write it as the file's properties show it")
    return text


def _file_text(text: str) -> str:
    if _CONTROL_IN_TEXT.search(text) is not None:
        raise refuse("the text holds a control character", "name a file with such content as an artifact")
    if len(text) > MOST_TEXT:
        message = f"the text has {len(text):,} characters"
        raise refuse(message, f"a text has {MOST_TEXT:,} at most: name a longer file as an artifact")
    return text


def _between(least: float, most: float, words: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not least <= seconds_of(text) <= most:
            raise refuse(f"{text} is not {words}", f"write a duration, {words}")
        return text

    return check


FeatureName = Annotated[str, AfterValidator(_feature), text_schema(_FEATURE_PATTERN)]
ServiceName = Annotated[str, AfterValidator(_service), text_schema(_SERVICE_PATTERN)]
ImageName = Annotated[str, AfterValidator(_image), text_schema(r"""^[^\\/:*?"<>|]+\.[Ee][Xx][Ee]$""")]
CommandLine = Annotated[str, AfterValidator(_command), text_schema(r"^[^\x00-\x1f]*[^\x00-\x20][^\x00-\x1f]*$")]
Arguments = Annotated[str, AfterValidator(_arguments), text_schema(r"^[^\x00-\x1f]*$")]
RegistryKey = Annotated[str, AfterValidator(_key), text_schema(_KEY_PATTERN)]
ValueName = Annotated[str, AfterValidator(_value_name), text_schema(r"^[^\x00-\x1f]{0,255}$")]
WindowsPath = Annotated[str, AfterValidator(_path), text_schema(_PATH_PATTERN)]
HttpAddress = Annotated[str, AfterValidator(_address), text_schema(_ADDRESS_PATTERN)]
FileVersion = Annotated[str, AfterValidator(_file_version), text_schema(f"^{VERSION_PATTERN}$")]
FileText = Annotated[str, AfterValidator(_file_text)]
Port = Annotated[int, Field(ge=1, le=65535)]
ExitCode = Annotated[int, Field(ge=0, le=0xFFFFFFFF)]
"""Windows gives exit codes as unsigned numbers of 32 bits."""

BRIEF = AfterValidator(_between(1, 60, "at most a minute"))
SETTLING = AfterValidator(_between(1, 3600, "at most an hour"))
RUNNING = AfterValidator(_between(60, 86400, "between a minute and a day"))
