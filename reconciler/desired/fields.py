"""The kinds of values in the files: how each is written, and the words for one that is not. Knows no file."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from reconciler.desired.findings import Rule
from reconciler.desired.layout import ENVIRONMENT_PATTERN, NAME_HINT, NAME_PATTERN
from reconciler.desired.public_keys import UnusableKey, key_identity
from reconciler.kernel.identity import InvalidIdentity, normalise_guid, three_fields

MOST_CHARACTERS = 500
"""Characters that a title, an issue or a source may have."""

LABEL_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$"
LABEL_HINT = "letters and digits, with dots, hyphens, underscores or slashes between them, 63 at most"

_GUID_PATTERN = r"^\{?[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?$"
_VERSION_PATTERN = r"[0-9]{1,5}(\.[0-9]{1,5}){1,3}"
VERSION_PATTERN = r"[0-9]{1,10}(\.[0-9]{1,10}){1,3}"
_UNTIL_PATTERN = r"^2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})$"
_SHARE_PATTERN = r"^[0-9]{1,3}(\.[0-9]{1,3})?%$"
_SIGNER_PATTERN = r"^(CN|O)=[^\x00-\x1f]*[^\x00-\x20]$"
_SOURCE_PATTERN = r"^https?://[^/?#@\s\\]+([/?][^\s\\]*)?$"
_MAIL_DOMAIN_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+$"
_MEMBER_PATTERN = r"^(@[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*|[^@\s]+@[^@\s]+)$"
_IDENTITY_PATTERN = r"^(@[A-Za-z0-9._-]+|[^@\s]+@[^@\s]+)$"
_ACCOUNT_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_REPORTER_PATTERN = r"^(app:[A-Za-z0-9][A-Za-z0-9._-]*|@[A-Za-z0-9._\\-]+|[^@\s:]+@[^@\s]+)$"
_DURATION_PATTERN = r"^[1-9][0-9]{0,4}[smhd]$"

_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")
_FILE_NAME = re.compile(r"""[^\\/:*?"<>|\x00-\x1f\x7f]*[^\\/:*?"<>|\x00-\x1f\x7f. ]""")
_DEVICE_NAME = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_UNTIL = re.compile(_UNTIL_PATTERN)
_SHARE = re.compile(_SHARE_PATTERN)
_SIGNER = re.compile(_SIGNER_PATTERN)
_SOURCE = re.compile(_SOURCE_PATTERN)
_MAIL_DOMAIN = re.compile(_MAIL_DOMAIN_PATTERN)
_NAME = re.compile(NAME_PATTERN)
_MEMBER = re.compile(_MEMBER_PATTERN)
_IDENTITY = re.compile(_IDENTITY_PATTERN)
_DURATION = re.compile(_DURATION_PATTERN)
_PROGRAM_VERSION = re.compile(VERSION_PATTERN)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def end_of_hold(text: str) -> float:
    """Return the time that `Until` writes, in seconds since the epoch.

    Raises:
        ValueError: there is no such time.
    """
    return datetime.fromisoformat(text).timestamp()


def share_of(text: str) -> float:
    """Return the share of 1 that `Share` writes."""
    return float(text.removesuffix("%")) / 100


def refuse(message: str, hint: str) -> PydanticCustomError:
    """Return the error that pydantic passes on, in words for whoever wrote the value."""
    return PydanticCustomError(Rule.INVALID_VALUE.value, "{message}", {"message": message, "hint": hint})


def _guid(text: str) -> str:
    try:
        return normalise_guid(text)
    except InvalidIdentity as error:
        raise refuse(error.what, error.hint or "") from error


def _version(text: str) -> str:
    try:
        three_fields(text)
    except InvalidIdentity as error:
        raise refuse(error.what, error.hint or "") from error
    return text


def _sha256(text: str) -> str:
    if _SHA256.fullmatch(text) is None:
        raise refuse(f"{text!r} is not a SHA-256", "write 64 hexadecimal digits; sha256sum FILE prints them")
    return text.lower()


def _msi_name(text: str) -> str:
    if not is_file_name(text, ".msi"):
        raise refuse(f"{text!r} is not the name of an MSI file", "write the file's own name, without folders")
    return text


def _mst_name(text: str) -> str:
    # Windows Installer takes a list of transforms with semicolons between, and gives a leading @ a meaning.
    if not is_file_name(text, ".mst") or ";" in text or text.startswith("@"):
        raise refuse(f"{text!r} is not the name of a transform", "write the .mst file's own name, without folders")
    return text


def _msp_name(text: str) -> str:
    if not is_file_name(text, ".msp") or ";" in text:
        raise refuse(f"{text!r} is not the name of a patch", "write the .msp file's own name, without folders")
    return text


def _exe_name(text: str) -> str:
    if not is_file_name(text, ".exe"):
        raise refuse(f"{text!r} is not the name of a program", "write the .exe file's own name, without folders")
    return text


def _file_name(text: str) -> str:
    if not is_file_name(text):
        raise refuse(f"{text!r} is not the name of a file", "write the file's own name, without folders")
    return text


def is_file_name(text: str, extension: str = "") -> bool:
    """Return whether Windows takes ``text`` for the name of a file.

    Source: learn.microsoft.com/windows/win32/fileio/naming-a-file
    """
    usable = _FILE_NAME.fullmatch(text) is not None and _DEVICE_NAME.fullmatch(text) is None
    return usable and len(text) > len(extension) and text.lower().endswith(extension)


def seconds_of(text: str) -> float:
    """Return the seconds of what `Duration` writes."""
    return float(text[:-1]) * _UNITS[text[-1]]


def _duration(given: Any) -> Any:
    is_number = isinstance(given, int) and not isinstance(given, bool)
    if is_number or (isinstance(given, str) and _DURATION.fullmatch(given) is None):
        raise refuse(f"{given!r} is not a duration", "write a number and its unit, s, m, h or d: 90s, 5m, 2h")
    return given


def _program_version(text: str) -> str:
    if _PROGRAM_VERSION.fullmatch(text) is None:
        raise refuse(f"{text!r} is not a version", "write two to four numbers with dots, such as 120.0.6099.130")
    return text


def _until(text: str) -> str:
    hint = "write date, time and zone, such as 2026-12-01T08:00:00+02:00"
    if _UNTIL.fullmatch(text) is None:
        raise refuse(f"{text!r} is not a time with its zone", hint)
    try:
        end_of_hold(text)
    except ValueError as error:
        raise refuse(f"{text!r} is not a time: {error}", hint) from error
    return text


def _share(text: str) -> str:
    if _SHARE.fullmatch(text) is None or share_of(text) > 1:
        raise refuse(f"{text!r} is not a share", "write a percentage from 0% to 100%, such as 25%")
    return text


def _signer(text: str) -> str:
    if _SIGNER.fullmatch(text) is None:
        hint = "write the common name or organisation of the signer's certificate, such as CN=Contoso Ltd"
        raise refuse(f"{text!r} does not name a signer", hint)
    return text


def _source(text: str) -> str:
    if _SOURCE.fullmatch(text) is None or len(text) > MOST_CHARACTERS:
        hint = (
            "write an http or https address without user or password; for a file at hand, reconciler import FILE "
            "takes it to the server"
        )
        raise refuse(f"{text[:60]!r} is not an address to get a file from", hint)
    return text


def _grant(text: str) -> str:
    # What was written is not repeated: it may be the password itself.
    if _NAME.fullmatch(text) is None:
        hint = (
            "write the name of a grant in the file that RECONCILER_GRANTS names on the server, such as dev-hosts"
        )
        raise refuse("this does not name a grant of the server", hint)
    return text


def _mail_domain(text: str) -> str:
    if _MAIL_DOMAIN.fullmatch(text) is None:
        raise refuse(f"{text[:60]!r} is not a mail domain", "write what stands behind the @, such as example.com")
    return text.lower()


def _channel(text: str) -> str:
    if _NAME.fullmatch(text) is None:
        raise refuse(f"{text!r} is not a name for a channel", NAME_HINT)
    return text


def _group(text: str) -> str:
    if _NAME.fullmatch(text) is None:
        raise refuse(f"{text!r} is not a group name", NAME_HINT)
    return text


def _member(text: str) -> str:
    if _MEMBER.fullmatch(text) is None:
        hint = "write @user, @organisation/team or an e-mail address, as a CODEOWNERS file takes them"
        raise refuse(f"{text!r} does not name a person or team", hint)
    return text


def _identity(text: str) -> str:
    if _IDENTITY.fullmatch(text) is None:
        raise refuse(f"{text!r} does not name one person", "write @login or an e-mail address")
    return text


def _account_id(text: str) -> str:
    if re.fullmatch(_ACCOUNT_PATTERN, text) is None:
        raise refuse(
            f"{text[:60]!r} is not an account's id", "write the id as the forge's API reports it, in quotes"
        )
    return text


def _reporter(text: str) -> str:
    if re.fullmatch(_REPORTER_PATTERN, text) is None:
        hint = "write app: and the app's name or id, @login, or an e-mail address"
        raise refuse(f"{text[:60]!r} does not name an app or an account", hint)
    return text


def _public_key(text: str) -> str:
    try:
        key_identity(text)
    except UnusableKey as error:
        raise refuse(error.what, error.hint or "") from error
    return text


def _line(text: str) -> str:
    if not text.isprintable() or not text.strip() or len(text) > MOST_CHARACTERS:
        raise refuse(
            f"{text[:60]!r} is not a line of text", f"write one line, {MOST_CHARACTERS} characters at most"
        )
    return text


def text_schema(pattern: str) -> WithJsonSchema:
    """Give editors a pattern; the real check is made by Python, which words its refusal better."""
    return WithJsonSchema({"type": "string", "pattern": pattern})


Guid = Annotated[str, AfterValidator(_guid), text_schema(_GUID_PATTERN)]
ProductVersion = Annotated[str, AfterValidator(_version), text_schema(f"^{_VERSION_PATTERN}$")]
Sha256 = Annotated[str, AfterValidator(_sha256), text_schema("^[0-9A-Fa-f]{64}$")]
MsiName = Annotated[str, AfterValidator(_msi_name), text_schema(r"""^[^\\/:*?"<>|]+\.[Mm][Ss][Ii]$""")]
MstName = Annotated[
    str, AfterValidator(_mst_name), text_schema(r"""^[^\\/:*?"<>|;@][^\\/:*?"<>|;]*\.[Mm][Ss][Tt]$""")
]
MspName = Annotated[str, AfterValidator(_msp_name), text_schema(r"""^[^\\/:*?"<>|;]+\.[Mm][Ss][Pp]$""")]
ExeName = Annotated[str, AfterValidator(_exe_name), text_schema(r"""^[^\\/:*?"<>|]+\.[Ee][Xx][Ee]$""")]
FileName = Annotated[str, AfterValidator(_file_name), text_schema(r"""^[^\\/:*?"<>|]+$""")]
ProgramVersion = Annotated[str, AfterValidator(_program_version), text_schema(f"^{VERSION_PATTERN}$")]
Duration = Annotated[str, BeforeValidator(_duration), text_schema(_DURATION_PATTERN)]
# Of labels there may be a hundred thousand, so pydantic itself checks them.
Label = Annotated[str, Field(pattern=LABEL_PATTERN)]
Until = Annotated[str, AfterValidator(_until), text_schema(_UNTIL_PATTERN)]
Share = Annotated[str, AfterValidator(_share), text_schema(_SHARE_PATTERN)]
Signer = Annotated[str, AfterValidator(_signer), text_schema(_SIGNER_PATTERN)]
Source = Annotated[str, AfterValidator(_source), text_schema(_SOURCE_PATTERN)]
GroupName = Annotated[str, AfterValidator(_group), text_schema(NAME_PATTERN)]
GrantName = Annotated[str, AfterValidator(_grant), text_schema(NAME_PATTERN)]
MailDomain = Annotated[str, AfterValidator(_mail_domain), text_schema(_MAIL_DOMAIN_PATTERN)]
ChannelName = Annotated[str, AfterValidator(_channel), text_schema(NAME_PATTERN)]
Member = Annotated[str, AfterValidator(_member), text_schema(_MEMBER_PATTERN)]
AccountId = Annotated[str, AfterValidator(_account_id), text_schema(_ACCOUNT_PATTERN)]
Reporter = Annotated[str, AfterValidator(_reporter), text_schema(_REPORTER_PATTERN)]
Identity = Annotated[str, AfterValidator(_identity), text_schema(_IDENTITY_PATTERN)]
PublicKey = Annotated[str, AfterValidator(_public_key)]
Line = Annotated[str, AfterValidator(_line), text_schema(r"^[^\x00-\x1f]*[^\x00-\x20][^\x00-\x1f]*$")]
# What follows is checked where more is known than one value: properties need both name and value, and names and
# wanted versions must exist elsewhere, which says more than a pattern could.
PropertyName = Annotated[str, text_schema("^[A-Z_][A-Z0-9_.]*$")]
Name = Annotated[str, text_schema(NAME_PATTERN)]
EnvironmentName = Annotated[str, text_schema(ENVIRONMENT_PATTERN)]
WantedVersion = Annotated[str, text_schema(f"^(absent|{VERSION_PATTERN})$")]
