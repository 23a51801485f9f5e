"""Looks at services, sets their start mode, starts and stops them through the service manager. Decides nothing.

Source: learn.microsoft.com/windows/win32/services/service-functions
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import POINTER, c_uint, c_void_p, c_wchar_p

NO_SUCH_SERVICE = 1060

_TIMEOUT = 1053
_ALREADY_RUNNING = 1056
_NOT_ACTIVE = 1062
_MORE_DATA = 234
_NO_CHANGE = 0xFFFFFFFF
_CONNECT = 0x0001
_QUERY_CONFIG, _CHANGE_CONFIG, _QUERY_STATUS, _DEPENDENTS, _START, _STOP = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20
_CONTROL_STOP = 1
_STOPPED, _STOPPING, _RUNNING = 1, 3, 4
_ACTIVE = 1
_LOOK_AGAIN = 0.05
_STATES = {1: "stopped", 2: "starting", 3: "stopping", 4: "running", 5: "resuming", 6: "pausing", 7: "paused"}
_START_MODES = {0: "boot", 1: "system", 2: "automatic", 3: "manual", 4: "disabled"}
_NUMBERS = {mode: number for number, mode in _START_MODES.items()}


class _Status(ctypes.Structure):
    _fields_ = [
        (name, c_uint) for name in ("type", "state", "accepts", "win32", "specific", "check_point", "wait_hint")
    ]


class _Config(ctypes.Structure):
    _fields_ = [
        ("type", c_uint),
        ("start", c_uint),
        ("error_control", c_uint),
        ("path", c_wchar_p),
        ("group", c_wchar_p),
        ("tag", c_uint),
        ("dependencies", c_void_p),
        ("account", c_wchar_p),
        ("display_name", c_wchar_p),
    ]


class _Dependent(ctypes.Structure):
    _fields_ = [("name", c_wchar_p), ("display_name", c_wchar_p), ("status", _Status)]


_advapi = ctypes.WinDLL("advapi32", use_last_error=True)
_advapi.OpenSCManagerW.argtypes = [c_wchar_p, c_wchar_p, c_uint]
_advapi.OpenSCManagerW.restype = c_void_p
_advapi.OpenServiceW.argtypes = [c_void_p, c_wchar_p, c_uint]
_advapi.OpenServiceW.restype = c_void_p
_advapi.CloseServiceHandle.argtypes = [c_void_p]
_advapi.QueryServiceStatus.argtypes = [c_void_p, POINTER(_Status)]
_advapi.QueryServiceConfigW.argtypes = [c_void_p, c_void_p, c_uint, POINTER(c_uint)]
_advapi.ChangeServiceConfigW.argtypes = (
    [c_void_p] + [c_uint] * 3 + [c_wchar_p] * 2 + [POINTER(c_uint)] + [c_wchar_p] * 4
)
_advapi.StartServiceW.argtypes = [c_void_p, c_uint, c_void_p]
_advapi.ControlService.argtypes = [c_void_p, c_uint, POINTER(_Status)]
_advapi.EnumDependentServicesW.argtypes = [c_void_p, c_uint, c_void_p, c_uint, POINTER(c_uint), POINTER(c_uint)]


def service_state(name: str) -> tuple[str, str]:
    """Return a service's state and start mode, each in one word, such as ``running`` and ``automatic``.

    Raises:
        OSError: with `NO_SUCH_SERVICE` as its ``winerror`` where there is none, else what Windows says.
    """
    with _service(name, _QUERY_STATUS | _QUERY_CONFIG) as service:
        return _STATES.get(_state(service), "unknown"), _START_MODES.get(_start_mode(service), "unknown")


def set_start_mode(name: str, mode: str) -> None:
    """Set when Windows starts a service: ``automatic``, ``manual`` or ``disabled``.

    Raises:
        OSError: Windows does not let it.
    """
    with _service(name, _CHANGE_CONFIG) as service:
        _check(
            _advapi.ChangeServiceConfigW(
                service, _NO_CHANGE, _NUMBERS[mode], _NO_CHANGE, None, None, None, None, None, None, None
            )
        )


def start_service(name: str, seconds: float) -> None:
    """Start a service and wait until it runs; nothing to do where it does.

    Args:
        name: the service.
        seconds: how long it may take.

    Raises:
        OSError: it does not start, or not in time.
    """
    with _service(name, _START | _QUERY_STATUS) as service:
        if not _advapi.StartServiceW(service, 0, None) and ctypes.get_last_error() != _ALREADY_RUNNING:
            raise _last_error()
        _wait_for(service, name, _RUNNING, seconds)


def stop_service(name: str, seconds: float) -> tuple[str, ...]:
    """Stop a service, and before it those that depend on it, and wait until they have stopped.

    Args:
        name: the service.
        seconds: how long each may take.

    Returns:
        the services that ran, in the order in which they can be started again; none where it did not run.

    Raises:
        OSError: one of them does not stop, or not in time; `StopFailed` where others have stopped before it.
    """
    stopped: list[str] = []
    for each in (*_dependents(name), name):
        try:
            if _stop(each, seconds):
                stopped.insert(0, each)
        except OSError as error:
            raise StopFailed(error, each, tuple(stopped)) from error
    return tuple(stopped)


class StopFailed(OSError):
    """A service that did not stop. ``stopped`` are those that had been stopped before."""

    def __init__(self, error: OSError, service: str, stopped: tuple[str, ...]) -> None:
        super().__init__(error.errno, error.strerror, None, error.winerror)
        self.service = service
        self.stopped = stopped


def _stop(name: str, seconds: float) -> bool:
    with _service(name, _STOP | _QUERY_STATUS) as service:
        state = _state(service)
        if state == _STOPPED:
            return False
        status = _Status()
        if state != _STOPPING and not _advapi.ControlService(service, _CONTROL_STOP, ctypes.byref(status)):
            if ctypes.get_last_error() == _NOT_ACTIVE:
                return False
            raise _last_error()
        _wait_for(service, name, _STOPPED, seconds)
        return True


def _dependents(name: str) -> tuple[str, ...]:
    """Return the running services that depend on one, in the order in which they must be stopped."""
    with _service(name, _DEPENDENTS) as service:
        needed, count = c_uint(), c_uint()
        room = 0
        buffer: ctypes.Array[ctypes.c_char] | None = None
        while not _advapi.EnumDependentServicesW(
            service, _ACTIVE, buffer, room, ctypes.byref(needed), ctypes.byref(count)
        ):
            if ctypes.get_last_error() != _MORE_DATA:
                raise _last_error()
            room = needed.value
            buffer = ctypes.create_string_buffer(room)
        if buffer is None or count.value == 0:
            return ()
        rows = ctypes.cast(buffer, POINTER(_Dependent))
        return tuple(str(rows[i].name) for i in range(count.value))


def _wait_for(service: int, name: str, wanted: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while (state := _state(service)) != wanted:
        if wanted == _RUNNING and state == _STOPPED:
            raise ctypes.WinError(_specific_error(service))
        if time.monotonic() >= deadline:
            told = f"the service {name} is still {_STATES.get(state, 'unknown')} after {seconds:.0f} s"
            raise OSError(None, told, None, _TIMEOUT)
        time.sleep(_LOOK_AGAIN)


def _specific_error(service: int) -> int:
    """Return why a service has stopped; one that says nothing did not respond to being started."""
    status = _Status()
    _check(_advapi.QueryServiceStatus(service, ctypes.byref(status)))
    return status.win32 or _TIMEOUT


def _state(service: int) -> int:
    status = _Status()
    _check(_advapi.QueryServiceStatus(service, ctypes.byref(status)))
    return int(status.state)


def _start_mode(service: int) -> int:
    needed = c_uint()
    _advapi.QueryServiceConfigW(service, None, 0, ctypes.byref(needed))
    buffer = ctypes.create_string_buffer(needed.value)
    _check(_advapi.QueryServiceConfigW(service, buffer, needed.value, ctypes.byref(needed)))
    return int(ctypes.cast(buffer, POINTER(_Config)).contents.start)


@contextmanager
def _service(name: str, rights: int) -> Iterator[int]:
    manager = _advapi.OpenSCManagerW(None, None, _CONNECT)
    if not manager:
        raise _last_error()
    try:
        service = _advapi.OpenServiceW(manager, name, rights)
        if not service:
            raise _last_error()
        try:
            yield service
        finally:
            _advapi.CloseServiceHandle(service)
    finally:
        _advapi.CloseServiceHandle(manager)


def _check(done: int) -> None:
    if not done:
        raise _last_error()


def _last_error() -> OSError:
    return ctypes.WinError(ctypes.get_last_error())
