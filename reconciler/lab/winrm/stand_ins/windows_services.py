"""Calls the service manager of Windows for the stand-ins; decides nothing.

Source: learn.microsoft.com/windows/win32/services/service-functions
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes import wintypes
from dataclasses import dataclass
from functools import cache
from typing import Any

CONNECT, CREATE, ENUMERATE = 0x1, 0x2, 0x4
QUERY_CONFIG, CHANGE_CONFIG, QUERY_STATUS, START, STOP, DELETE = 0x1, 0x2, 0x4, 0x10, 0x20, 0x10000
"""Rights: the first to the manager, the second to a service."""

STOPPED, START_PENDING, STOP_PENDING, RUNNING = 1, 2, 3, 4
NO_CHANGE = 0xFFFFFFFF
_CONTROL_STOP = 1
_SERVICES_OF_WINDOWS = 0x30
_ALL = 3
_PROCESS = 0
_DATABASE = r"SYSTEM\CurrentControlSet\Services"


class ServiceError(Exception):
    """What a function of the service manager says in place of doing what it is told to."""

    def __init__(self, function: str, code: int) -> None:
        super().__init__(f"{function} FAILED {code}")
        self.function, self.code = function, code


class Status(ctypes.Structure):
    """SERVICE_STATUS_PROCESS."""

    _fields_ = tuple(
        (name, wintypes.DWORD)
        for name in ("type", "state", "accepts", "win32", "own", "check_point", "wait_hint", "pid", "flags")
    )


class _Entry(ctypes.Structure):
    _fields_ = (("name", wintypes.LPWSTR), ("display_name", wintypes.LPWSTR), ("status", Status))


class Config(ctypes.Structure):
    """QUERY_SERVICE_CONFIGW."""

    _fields_ = (
        ("type", wintypes.DWORD),
        ("start", wintypes.DWORD),
        ("error", wintypes.DWORD),
        ("path", wintypes.LPWSTR),
        ("group", wintypes.LPWSTR),
        ("tag", wintypes.DWORD),
        ("unused", ctypes.c_void_p),
        ("account", wintypes.LPWSTR),
        ("display_name", wintypes.LPWSTR),
    )


@dataclass(frozen=True, slots=True)
class Setup:
    """What CreateServiceW and ChangeServiceConfigW are told; `None` and `NO_CHANGE` say nothing."""

    type: int
    start: int
    error: int
    path: str | None = None
    depends_on: str | None = None
    account: str | None = None
    display_name: str | None = None


@contextmanager
def manager(rights: int) -> Iterator[int]:
    """Open the service manager."""
    handle = _api().OpenSCManagerW(None, None, rights)
    if not handle:
        raise ServiceError("OpenSCManager", _last_error())
    try:
        yield handle
    finally:
        _api().CloseServiceHandle(handle)


@contextmanager
def service(name: str, rights: int) -> Iterator[int]:
    """Open a service."""
    with manager(CONNECT) as of:
        handle = _api().OpenServiceW(of, name, rights)
        if not handle:
            raise ServiceError("OpenService", _last_error())
        try:
            yield handle
        finally:
            _api().CloseServiceHandle(handle)


def status(handle: int) -> Status:
    """Return how an opened service is."""
    found, needed = Status(), wintypes.DWORD()
    size = ctypes.sizeof(found)
    done = _api().QueryServiceStatusEx(handle, _PROCESS, ctypes.byref(found), size, ctypes.byref(needed))
    _check("QueryServiceStatusEx", done)
    return found


Listed = tuple[str, str, Status]
"""A service: its name, its display name and its status."""


def listed() -> list[Listed]:
    """Return every service that is no driver."""
    needed, count, resume = wintypes.DWORD(), wintypes.DWORD(), wintypes.DWORD()
    told = ctypes.byref(needed), ctypes.byref(count), ctypes.byref(resume)
    what = (_PROCESS, _SERVICES_OF_WINDOWS, _ALL)
    with manager(CONNECT | ENUMERATE) as of:
        _api().EnumServicesStatusExW(of, *what, None, 0, *told, None)
        room = ctypes.create_string_buffer(needed.value)
        resume.value = 0
        _check("EnumServicesStatusEx", _api().EnumServicesStatusExW(of, *what, room, len(room), *told, None))
    rows = ctypes.cast(room, ctypes.POINTER(_Entry))
    return [(row.name, row.display_name, Status.from_buffer_copy(row.status)) for row in rows[: count.value]]


def config(handle: int) -> tuple[Config, Any]:
    """Return how an opened service is set up, and the memory that this lies in."""
    needed = wintypes.DWORD()
    _api().QueryServiceConfigW(handle, None, 0, ctypes.byref(needed))
    room = ctypes.create_string_buffer(needed.value)
    _check("QueryServiceConfig", _api().QueryServiceConfigW(handle, room, len(room), ctypes.byref(needed)))
    return Config.from_buffer(room), room


def change(handle: int, setup: Setup) -> None:
    """Set an opened service up anew."""
    words = setup.path, None, None, setup.depends_on, setup.account, None, setup.display_name
    _check(
        "ChangeServiceConfig",
        _api().ChangeServiceConfigW(handle, setup.type, setup.start, setup.error, *words),
    )


def create(name: str, setup: Setup) -> None:
    """Make a service."""
    words = setup.path, None, None, setup.depends_on, setup.account, None
    with manager(CONNECT | CREATE) as of:
        kind = setup.type, setup.start, setup.error
        shown = setup.display_name or name
        handle = _api().CreateServiceW(of, name, shown, QUERY_STATUS, *kind, *words)
        _check("CreateService", handle)
        _api().CloseServiceHandle(handle)


def delete(handle: int) -> None:
    """Delete an opened service."""
    _check("DeleteService", _api().DeleteService(handle))


def start(handle: int, arguments: Sequence[str]) -> None:
    """Start an opened service."""
    words = (wintypes.LPCWSTR * len(arguments))(*arguments) if arguments else None
    _check("StartService", _api().StartServiceW(handle, len(arguments), words))


def stop(handle: int) -> None:
    """Tell an opened service to stop."""
    _check("ControlService", _api().ControlService(handle, _CONTROL_STOP, ctypes.byref(Status())))


def depends_on(name: str) -> list[str]:
    """Return the services that one depends on, from the manager's database: Wine's functions tell of none.

    Source: learn.microsoft.com/windows/win32/services/database-of-installed-services
    """
    if sys.platform == "win32":
        import winreg

        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, rf"{_DATABASE}\{name}") as key:
                found = winreg.QueryValueEx(key, "DependOnService")[0]
        except OSError:
            return []
        return list(found) if isinstance(found, list) else []
    raise OSError("these are services of Windows")


def dependents(name: str) -> list[Listed]:
    """Return the services that depend on one, however indirectly, in the order to stop them in.

    Raises:
        ServiceError: there is no such service.

    Source: learn.microsoft.com/windows/win32/api/winsvc/nf-winsvc-enumdependentservicesw
    """
    with service(name, QUERY_STATUS):
        pass
    everything = {each[0].lower(): each for each in listed()}
    needs = {each: [one.lower() for one in depends_on(each)] for each in everything}
    found: list[str] = []
    _add_dependents(name.lower(), needs, found)
    return [everything[each] for each in found]


def _add_dependents(name: str, needs: dict[str, list[str]], found: list[str]) -> None:
    """Add what depends on a service, each after all that depends on it."""
    for each, needed in needs.items():
        if name in needed and each not in found:
            _add_dependents(each, needs, found)
            found.append(each)


def _check(function: str, done: int | None) -> None:
    if not done:
        raise ServiceError(function, _last_error())


def _last_error() -> int:
    if sys.platform == "win32":
        return ctypes.get_last_error()
    raise OSError("these are services of Windows")


@cache
def _api() -> Any:
    if sys.platform == "win32":
        api = ctypes.WinDLL("advapi32", use_last_error=True)
        handle, number, text, place = wintypes.HANDLE, wintypes.DWORD, wintypes.LPCWSTR, ctypes.c_void_p
        for name, *types in (
            ("OpenSCManagerW", text, text, number),
            ("OpenServiceW", handle, text, number),
            ("CreateServiceW", handle, text, text, *(number,) * 4, text, text, place, *(text,) * 3),
        ):
            getattr(api, name).argtypes, getattr(api, name).restype = types, handle
        for name, *types in (
            ("CloseServiceHandle", handle),
            ("DeleteService", handle),
            ("QueryServiceStatusEx", handle, number, place, number, place),
            ("EnumServicesStatusExW", handle, *(number,) * 3, place, number, *(place,) * 3, text),
            ("QueryServiceConfigW", handle, place, number, place),
            ("ChangeServiceConfigW", handle, *(number,) * 3, text, text, place, *(text,) * 4),
            ("StartServiceW", handle, number, place),
            ("ControlService", handle, number, place),
        ):
            getattr(api, name).argtypes = types
        return api
    raise OSError("these are services of Windows")
