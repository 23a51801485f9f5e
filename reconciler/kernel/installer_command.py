"""Spells out one run of Windows Installer: its properties, and the command line an operator would type.

Source: learn.microsoft.com/windows/win32/msi/command-line-options and …/msi/public-properties
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.steps import Action, Verb

_PUBLIC_NAME = re.compile(r"[A-Z_][A-Z0-9_.]*")
_RESERVED = frozenset(
    {"TRANSFORMS", "TRANSFORMSSECURE", "PATCH", "REINSTALL", "REINSTALLMODE", "REBOOT", "ACTION", "ALLUSERS"}
)
_ALWAYS = (("ALLUSERS", "1"), ("REBOOT", "ReallySuppress"))
_MINOR_UPDATE = (("REINSTALL", "ALL"), ("REINSTALLMODE", "vomus"))


class InvalidProperty(ReconcilerError):
    """A property that may not be given to the installer."""

    reference = "invalid-property"


def check_property(name: str, value: str) -> None:
    """Check that a property may be given freely.

    Args:
        name: its name; public properties are written in upper case, all others the installer ignores.
        value: its value.

    Raises:
        InvalidProperty: the name is not public, is one that Reconciler sets itself, or the value cannot be
            passed on a command line.
    """
    if name in _RESERVED:
        raise InvalidProperty(f"{name} is set by Reconciler itself", hint="leave it out of properties")
    if _PUBLIC_NAME.fullmatch(name) is None:
        raise InvalidProperty(f"{name!r} is not a public property", hint="public properties are in upper case")
    if any(ord(character) < 32 for character in value):
        raise InvalidProperty(f"the value of {name} holds a control character", hint="write it on one line")


def property_string(action: Action, transforms: tuple[str, ...] = ()) -> str:
    """Return the properties of ``action`` as Windows Installer takes them: ``NAME="va""lue" …``.

    Args:
        action: what to run.
        transforms: full paths of the transforms on the host. Only a first install takes them: Windows keeps
            them, and applies them again at every later run.

    Source: learn.microsoft.com/windows/win32/msi/transforms and …/msi/transformssecure
    """
    if action.verb is Verb.REMOVE:
        return _join((("REMOVE", "ALL"), ("REBOOT", "ReallySuppress")))
    free = action.release.properties if action.release is not None else ()
    forced = _ALWAYS + (_MINOR_UPDATE if action.verb is Verb.REINSTALL else ())
    applied: tuple[tuple[str, str], ...] = ()
    if transforms and action.verb is Verb.INSTALL:
        applied = (("TRANSFORMS", ";".join(transforms)), ("TRANSFORMSSECURE", "1"))
    return _join((*forced, *applied, *free))


def command_line(action: Action, file: str, log: str, transforms: tuple[str, ...] = ()) -> str:
    """Return the msiexec command line of ``action``.

    Args:
        action: what to run.
        file: the path of the MSI on the host; not used for a removal, which goes by product code.
        log: the path of the verbose log on the host. Its folder must exist (1622 otherwise).
        transforms: full paths of the transforms on the host.
    """
    if action.verb is Verb.REMOVE:
        subject, properties = f"/x {action.product_code}", "REBOOT=ReallySuppress"
    else:
        subject, properties = f'/i "{file}"', property_string(action, transforms)
    return f'msiexec.exe {subject} /qn /norestart /L*V "{log}" {properties}'


def _join(properties: Iterable[tuple[str, str]]) -> str:
    return " ".join(f"{name}={_quote(value)}" for name, value in properties)


def _quote(value: str) -> str:
    """Quote the value, not the pair, and double an inner quote; a plain word stands as it is."""
    if re.fullmatch(r"[A-Za-z0-9_.\-]+", value):
        return value
    return '"' + value.replace('"', '""') + '"'
