"""Brings the machine to the settings of a call: registry values, files, services. Looks at nothing beforehand.

Each setting is tried, whatever became of the others, and what failed is named; a look tells afterwards what is so.
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from reconciler.agent.durable import replace
from reconciler.agent.windows.registry import delete_value, write_value
from reconciler.agent.windows.service_control import NO_SUCH_SERVICE, set_start_mode, start_service, stop_service
from reconciler.kernel.calls import Call
from reconciler.kernel.configuration import PlacedFile, RegistryValue, ServiceSetup, ServiceState, Setting

SERVICE_SECONDS = 120.0
"""How long a service may take to start or to stop."""

_INVALID_DATA = 13
_CHUNK = 1024 * 1024


def configure(call: Call) -> tuple[int, str]:
    """Set what ``call`` says, and delete its leftovers.

    Returns:
        0 and nothing, or Windows' error code of the first setting that failed, and a text that names all of them.
    """
    files = dict(call.files)
    work = [(str(setting), partial(_set, setting, files)) for setting in call.settings]
    work += [(f"{setting} (to be removed)", partial(_remove, setting)) for setting in call.leftovers]
    return do_all(work)


def do_all(work: Sequence[tuple[str, Callable[[], object]]]) -> tuple[int, str]:
    """Do each piece of work, by its name; return the first error's code, and what failed in words."""
    code = 0
    wrong = []
    for name, do in work:
        try:
            do()
        except (OSError, ValueError) as error:
            wrong.append(f"{name}: {_describe(error)}")
            code = code or getattr(error, "winerror", None) or _INVALID_DATA
    return code, "; ".join(wrong)


def _set(setting: Setting, files: Mapping[str, str]) -> None:
    match setting:
        case RegistryValue():
            write_value(setting.key, setting.name, setting.type, setting.data)
        case PlacedFile():
            _place(setting, files)
        case ServiceSetup():
            _set_up(setting)


def _remove(setting: Setting) -> None:
    match setting:
        case RegistryValue():
            delete_value(setting.key, setting.name)
        case PlacedFile():
            Path(setting.path).unlink(missing_ok=True)
        case ServiceSetup():
            pass  # one that is no longer named stays as it is


def _place(setting: PlacedFile, files: Mapping[str, str]) -> None:
    """Put a file in the place of the one there, whole or not at all.

    Raises:
        ValueError: what was to be placed is not what the catalog says.
    """
    target = Path(setting.path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{target.name}.{os.getpid()}.new")
    digest = hashlib.sha256()
    try:
        with temporary.open("wb") as out:
            for chunk in _content(setting, files):
                out.write(chunk)
                digest.update(chunk)
            out.flush()
            os.fsync(out.fileno())
        if digest.hexdigest() != setting.sha256:
            raise ValueError(f"its sha256 is {digest.hexdigest()}, not {setting.sha256}: nothing was placed")
        replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _content(setting: PlacedFile, files: Mapping[str, str]) -> Iterator[bytes]:
    if setting.artifact is None:
        yield (setting.text or "").encode("utf-8")
        return
    with Path(files[setting.artifact.sha256]).open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _set_up(setting: ServiceSetup) -> None:
    if setting.start is not None:
        set_start_mode(setting.name, setting.start)
    if setting.state is ServiceState.RUNNING:
        start_service(setting.name, SERVICE_SECONDS)
    elif setting.state is ServiceState.STOPPED:
        stop_service(setting.name, SERVICE_SECONDS)


def _describe(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        if error.winerror == NO_SUCH_SERVICE:
            return "there is no such service"
        return f"{error.strerror} ({error.winerror})" if error.winerror else str(error)
    return str(error)
