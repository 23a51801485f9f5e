"""Spells out one run on a host: every path and property, and the command line an operator would type. Runs
nothing.

Source: learn.microsoft.com/windows/win32/msi/command-line-options and …/msi/public-properties
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from reconciler.kernel.artifact import Artifact
from reconciler.kernel.configuration import PlacedFile, Setting
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.installer_properties import RefusedProperty, demand_plain
from reconciler.kernel.network_paths import NETWORK_HINT, network_path_in
from reconciler.kernel.redaction import redact_properties
from reconciler.kernel.releases import MsiRelease, PatchRelease, ProgramRelease
from reconciler.kernel.steps import Action, Verb

_PUBLIC_NAME = re.compile(r"[A-Z_][A-Z0-9_.]*")
_QUIET_REBOOT = (("REBOOT", "ReallySuppress"),)
_ALWAYS = (("ALLUSERS", "1"), *_QUIET_REBOOT)
_MINOR_UPDATE = (("REINSTALL", "ALL"), ("REINSTALLMODE", "vomus"))

STOPPED = "stopped: "
"""What begins the words of a run that has stopped services; their names follow, with ``; `` between."""

Paths = Mapping[str, str]
"""Where artifacts lie on the host, by their sha256."""


class InvalidProperty(ReconcilerError):
    """A property that may not be given to the installer."""

    reference = "invalid-property"


class CallKind(StrEnum):
    """What is called on the host."""

    INSTALL = "install"
    REMOVE = "remove"
    PATCH = "patch"
    UNPATCH = "unpatch"
    COMMAND = "command"
    CONFIGURE = "configure"
    STOP = "stop"
    START = "start"


@dataclass(frozen=True, slots=True)
class Call:
    """One run on a host, with nothing left to be found out there.

    ``subject`` is the path of the MSI or patch, the product code of what is removed, the patch code of what is
    taken off, or a whole command line. ``properties`` are as Windows Installer takes them; ``product_code`` is
    that of the product that a patch is taken off. ``settings`` and ``leftovers`` are to be set and deleted, with
    ``files`` (path by sha256) for those that are placed. ``services`` and ``processes`` are to be stopped, or
    services started. ``seconds`` bounds the run.
    """

    kind: CallKind
    subject: str = ""
    properties: str = ""
    product_code: str = ""
    settings: tuple[Setting, ...] = ()
    leftovers: tuple[Setting, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    services: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    seconds: float = 3600.0


def check_property(name: str, value: str) -> None:
    """Check that a property may be given freely.

    Args:
        name: its name; public properties are written in upper case, all others the installer ignores.
        value: its value.

    Raises:
        InvalidProperty: the name is not public, the property changes the operation, or the value cannot be passed
            on a command line or leads to a network share.
    """
    try:
        demand_plain(name)
    except RefusedProperty as error:
        raise InvalidProperty(error.what, hint=error.hint) from error
    if _PUBLIC_NAME.fullmatch(name) is None:
        raise InvalidProperty(f"{name!r} is not a public property", hint="public properties are in upper case")
    if any(ord(character) < 32 for character in value):
        raise InvalidProperty(f"the value of {name} holds a control character", hint="write it on one line")
    if (share := network_path_in(value)) is not None:
        raise InvalidProperty(f"the value of {name} leads to the network: {share}", hint=NETWORK_HINT)


def call_of(action: Action, paths: Paths) -> Call:
    """Return the call that carries ``action`` out.

    Args:
        action: what to do.
        paths: where the artifacts that it takes lie on the host.
    """
    release = action.release
    seconds = action.seconds
    match action.verb:
        case Verb.INSTALL | Verb.REINSTALL:
            assert isinstance(release, MsiRelease)
            subject = paths[release.artifact.sha256]
            return Call(CallKind.INSTALL, subject, _properties_of(action, release, paths), seconds=seconds)
        case Verb.REMOVE:
            if isinstance(release, ProgramRelease):
                return Call(CallKind.COMMAND, action.command, seconds=seconds)
            properties = _join((("REMOVE", "ALL"), *_QUIET_REBOOT))
            return Call(CallKind.REMOVE, action.product_code, properties, seconds=seconds)
        case Verb.PATCH:
            assert isinstance(release, PatchRelease)
            properties = _join(
                (("REINSTALL", "ALL"), ("REINSTALLMODE", "omus"), *_QUIET_REBOOT, *release.properties)
            )
            return Call(CallKind.PATCH, paths[release.artifact.sha256], properties, seconds=seconds)
        case Verb.UNPATCH:
            assert isinstance(release, PatchRelease)
            quiet = _join(_QUIET_REBOOT)
            return Call(CallKind.UNPATCH, release.patch_code, quiet, action.product_code, seconds=seconds)
        case Verb.SET_UP:
            assert isinstance(release, ProgramRelease)
            line = f'"{paths[release.artifact.sha256]}" {release.arguments}'.rstrip()
            return Call(CallKind.COMMAND, line, seconds=seconds)
        case Verb.COMMAND:
            return Call(CallKind.COMMAND, action.command, seconds=seconds)
        case Verb.CONFIGURE:
            files = tuple((artifact.sha256, paths[artifact.sha256]) for artifact in _placed(action.settings))
            return Call(
                CallKind.CONFIGURE,
                settings=action.settings,
                leftovers=action.leftovers,
                files=files,
                seconds=seconds,
            )
        case Verb.STOP:
            stopped = action.services, action.processes
            return Call(CallKind.STOP, services=stopped[0], processes=stopped[1], seconds=seconds)
        case Verb.START:
            return Call(CallKind.START, services=action.services, seconds=seconds)


def command_line(call: Call, log: str = "") -> str:
    """Return the command line of ``call`` as an operator would type it, secrets left out.

    Args:
        call: what is run.
        log: the path of the verbose log on the host; empty where none is written.
    """
    logged = f' /L*V "{log}"' if log else ""
    properties = redact_properties(call.properties)
    match call.kind:
        case CallKind.INSTALL:
            return f'msiexec.exe /i "{call.subject}" /qn /norestart{logged} {properties}'
        case CallKind.REMOVE:
            return f"msiexec.exe /x {call.subject} /qn /norestart{logged} {_join(_QUIET_REBOOT)}"
        case CallKind.PATCH:
            return f'msiexec.exe /p "{call.subject}" /qn /norestart{logged} {properties}'
        case CallKind.UNPATCH:
            patch = f"MSIPATCHREMOVE={call.subject}"
            return f"msiexec.exe /i {call.product_code} {patch} /qn /norestart{logged} {properties}"
        case CallKind.COMMAND:
            return redact_properties(call.subject)
        case CallKind.CONFIGURE:
            told = [f"set {setting}" for setting in call.settings] + [f"delete {left}" for left in call.leftovers]
            return "; ".join(told)
        case CallKind.STOP:
            told = [f"net stop {name}" for name in call.services] + [
                f"taskkill /F /IM {i}" for i in call.processes
            ]
            return "; ".join(told)
        case CallKind.START:
            return "; ".join(f"net start {name}" for name in call.services)


def _properties_of(action: Action, release: MsiRelease, paths: Paths) -> str:
    """Return the properties of an install. Only a first one takes transforms: Windows keeps them, and applies them
    again at every later run. The features that a release names are installed by each run: Windows works ADDLOCAL
    off before REINSTALL, so a minor update adds those that are missing, and leaves others as they are.

    Source: learn.microsoft.com/windows/win32/msi/addlocal, …/msi/transforms and …/msi/transformssecure
    """
    forced = _ALWAYS + (_MINOR_UPDATE if action.verb is Verb.REINSTALL else ())
    applied: tuple[tuple[str, str], ...] = ()
    if release.transforms and action.verb is Verb.INSTALL:
        names = ";".join(paths[transform.sha256] for transform in release.transforms)
        applied = (("TRANSFORMS", names), ("TRANSFORMSSECURE", "1"))
    chosen = (("ADDLOCAL", ",".join(release.features)),) if release.features else ()
    return _join((*forced, *chosen, *applied, *release.properties))


def _placed(settings: tuple[Setting, ...]) -> Iterable[Artifact]:
    for setting in settings:
        if isinstance(setting, PlacedFile) and setting.artifact is not None:
            yield setting.artifact


def _join(properties: Iterable[tuple[str, str]]) -> str:
    return " ".join(f"{name}={_quote(value)}" for name, value in properties)


def _quote(value: str) -> str:
    """Quote the value, not the pair, and double an inner quote; a plain word stands as it is."""
    if re.fullmatch(r"[A-Za-z0-9_.\-]+", value):
        return value
    return '"' + value.replace('"', '""') + '"'
