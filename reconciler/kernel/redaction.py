"""Takes secrets out of command lines and logs before they are stored or shown. Knows them by their properties'
names.

A verbose log of Windows Installer names every property with its value, on its command line and in its list of
properties. Source:
learn.microsoft.com/windows/win32/msi/preventing-confidential-information-from-being-written-into-the-log-file
"""

from __future__ import annotations

import re
from collections.abc import Iterable

HIDDEN = "********"
"""What stands in a secret's place."""

_SECRETIVE = "PASSWORD|PASSWD|PASSPHRASE|PWD|SECRET|TOKEN|APIKEY|API_KEY|CREDENTIAL|PRIVATEKEY"
_NAMED = rf"[A-Za-z0-9_.]*(?:{_SECRETIVE})[A-Za-z0-9_.]*"
_SHORTEST = 4
"""Characters below which a value is only hidden beside its name: a short word stands everywhere by chance."""

_PAIR = re.compile(
    rf"(?P<name>\b{_NAMED})(?P<sign>\s*[=:]\s*)(?P<value>\"(?:[^\"]|\"\")*\"|'[^']*'|[^\s;,\"']+)",
    re.IGNORECASE,
)
_LISTED = re.compile(
    rf"(?P<lead>Property\([A-Z]\):\s*(?P<name>{_NAMED})\s*=\s*)(?P<value>[^\r\n]*)", re.IGNORECASE
)
_CHANGED = re.compile(
    rf"(?P<lead>(?:Adding|Modifying|Deleting)\s+(?P<name>{_NAMED})\s+property\.)(?P<value>[^\r\n]*)",
    re.IGNORECASE,
)
_IS_SECRET = re.compile(_NAMED, re.IGNORECASE)


def is_secret(name: str) -> bool:
    """Return whether a property of this name holds a secret, by its name."""
    return _IS_SECRET.fullmatch(name) is not None


def redact_properties(text: str) -> str:
    """Return ``text`` (a command line, properties) with the values of secrets hidden."""
    return _PAIR.sub(lambda match: f"{match['name']}{match['sign']}{HIDDEN}", text)


def secrets_in(text: str) -> frozenset[str]:
    """Return the values of secrets that a command line names, without their quotes.

    Args:
        text: the command line.
    """
    return frozenset(match["value"].strip("\"'") for match in _PAIR.finditer(text))


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a log's text with secrets hidden, by the names of properties and wherever their values stand.

    Args:
        text: the log, or a line of it.
        secrets: values that must not stand anywhere.
    """
    text = _LISTED.sub(lambda match: match["lead"] + HIDDEN, text)
    text = _CHANGED.sub(lambda match: match["lead"] + " " + HIDDEN, text)
    text = redact_properties(text)
    for secret in sorted({s for s in secrets if len(s) >= _SHORTEST}, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text
