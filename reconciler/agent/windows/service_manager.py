"""Tells the service manager to start the agent, and to start it again after a crash. Changes nothing else of it.

Source: learn.microsoft.com/windows/win32/api/winsvc/nf-winsvc-changeserviceconfig2w
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import POINTER, Structure, c_int, c_uint, c_void_p, c_wchar_p

_CONNECT = 0x0001
_CHANGE_CONFIG, _START = 0x0002, 0x0010
_FAILURE_ACTIONS, _FAILURE_ACTIONS_FLAG = 2, 4
_RESTART = 1
_RESET_SECONDS = 86_400
_DELAYS = (5_000, 60_000, 300_000)
"""Milliseconds before the first, the second and every further start within a day."""

_log = logging.getLogger("reconciler.agent")


class _Action(Structure):
    _fields_ = [("kind", c_int), ("delay", c_uint)]


class _Actions(Structure):
    _fields_ = [
        ("reset", c_uint), ("reboot_message", c_wchar_p), ("command", c_wchar_p), ("count", c_uint),
        ("actions", POINTER(_Action)),
    ]  # fmt: skip


_api = ctypes.WinDLL("advapi32", use_last_error=True)
_api.OpenSCManagerW.argtypes = [c_wchar_p, c_wchar_p, c_uint]
_api.OpenSCManagerW.restype = c_void_p
_api.OpenServiceW.argtypes = [c_void_p, c_wchar_p, c_uint]
_api.OpenServiceW.restype = c_void_p
_api.ChangeServiceConfig2W.argtypes = [c_void_p, c_uint, c_void_p]
_api.StartServiceW.argtypes = [c_void_p, c_uint, c_void_p]
_api.CloseServiceHandle.argtypes = [c_void_p]


def restart_after_a_crash(service: str) -> None:
    """See to it that ``service`` is started again when it crashes or ends with an error.

    Called at each start, since Windows Installer has no dependable way to set it. Where that fails, the agent
    runs all the same, and its log says so.
    """
    actions = (_Action * len(_DELAYS))(*(_Action(_RESTART, delay) for delay in _DELAYS))
    plan = _Actions(_RESET_SECONDS, None, None, len(_DELAYS), actions)
    also_after_errors = c_int(1)
    with _opened(service, _CHANGE_CONFIG | _START) as handle:
        done = bool(
            handle
            and _api.ChangeServiceConfig2W(handle, _FAILURE_ACTIONS, ctypes.byref(plan))
            and _api.ChangeServiceConfig2W(handle, _FAILURE_ACTIONS_FLAG, ctypes.byref(also_after_errors))
        )
        if not done:
            _log.warning("Windows will not start the agent again after a crash: error %d", ctypes.get_last_error())


def start_service(service: str) -> None:
    """Start ``service``; one that runs already, or that there is none of, is left as it is."""
    with _opened(service, _START) as handle:
        if handle:
            _api.StartServiceW(handle, 0, None)


@contextmanager
def _opened(service: str, access: int) -> Iterator[int | None]:
    manager = _api.OpenSCManagerW(None, None, _CONNECT)
    handle = _api.OpenServiceW(manager, service, access) if manager else None
    try:
        yield handle
    finally:
        for opened in (handle, manager):
            if opened:
                _api.CloseServiceHandle(opened)
