"""The agent as a Windows service: answers the service manager, starts and stops the agent. Decides nothing.

Source: learn.microsoft.com/windows/win32/services/writing-a-service-program-s-main-function
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
import logging
import threading
from ctypes import POINTER, Structure, c_int, c_uint, c_void_p, c_wchar_p
from pathlib import Path

from reconciler.agent.agent_log import open_log
from reconciler.agent.entry import BAD_START, complain, make_agent
from reconciler.agent.windows.data_folder import protect_folder
from reconciler.agent.windows.self_upgrade import await_registration, resume_upgrade
from reconciler.agent.windows.service_manager import restart_after_a_crash

NAME = "ReconcilerAgent"

_OWN_PROCESS = 0x10
_STOPPED, _START_PENDING, _STOP_PENDING, _RUNNING = 1, 2, 3, 4
_ACCEPT_STOP, _ACCEPT_SHUTDOWN = 0x1, 0x4
_CONTROL_STOP, _CONTROL_INTERROGATE, _CONTROL_SHUTDOWN = 1, 4, 5
_NO_ERROR, _NOT_IMPLEMENTED, _SERVICE_SPECIFIC = 0, 120, 1066
_GRACE = 15.0
"""Seconds that a turn under way may take when the service is stopped; what is cut off is picked up later."""

_log = logging.getLogger("reconciler.agent")


class _Status(Structure):
    _fields_ = [
        (name, c_uint)
        for name in ("kind", "state", "accepted", "exit_code", "specific_exit_code", "checkpoint", "wait_hint")
    ]


_ServiceMain = ctypes.WINFUNCTYPE(None, c_uint, POINTER(c_wchar_p))
_Handler = ctypes.WINFUNCTYPE(c_uint, c_uint, c_uint, c_void_p, c_void_p)


class _Entry(Structure):
    _fields_ = [("name", c_wchar_p), ("main", _ServiceMain)]


_api = ctypes.WinDLL("advapi32", use_last_error=True)
_api.StartServiceCtrlDispatcherW.argtypes = [POINTER(_Entry)]
_api.RegisterServiceCtrlHandlerExW.argtypes = [c_wchar_p, _Handler, c_void_p]
_api.RegisterServiceCtrlHandlerExW.restype = c_void_p
_api.SetServiceStatus.argtypes = [c_void_p, POINTER(_Status)]
_api.SetServiceStatus.restype = c_int


def serve(data: Path) -> int:
    """Be the service until the service manager stops it; return the exit code: 2 where no service manager asks.

    Args:
        data: the agent's data folder.
    """
    service = _Service(data)
    table = (_Entry * 2)(_Entry(NAME, service.main), _Entry())
    if not _api.StartServiceCtrlDispatcherW(table):
        complain(
            f"the service manager does not answer: error {ctypes.get_last_error()}\n"
            f"  hint: start it by: net start {NAME}"
        )
        return BAD_START
    return 0


class _Service:
    """The service's two entry points, each called by Windows in a thread of its own choice."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._handle: int | None = None
        self._state = _START_PENDING
        self._stop = threading.Event()
        self.main = _ServiceMain(self._main)
        self._handler = _Handler(self._control)

    def _main(self, _count: int, _words: object) -> None:
        self._handle = _api.RegisterServiceCtrlHandlerExW(NAME, self._handler, None)
        self._tell(_START_PENDING)
        try:
            self._run()
        except BaseException:
            open_log(self._data)  # it broke off before the agent did, or the line is written twice
            _log.exception("the service broke off")
            self._tell(_STOPPED, BAD_START)

    def _run(self) -> None:
        from reconciler.agent.windows.machine import WindowsMachine
        from reconciler.agent.windows.signatures import WindowsSignatures

        protect_folder(self._data)
        agent = make_agent(self._data, WindowsMachine(self._data / "runs"), WindowsSignatures())
        if agent is None:
            self._tell(_STOPPED, BAD_START)
            return
        restart_after_a_crash(NAME)
        ended = threading.Event()

        def run() -> None:
            try:
                await_registration(self._stop)
                self._resume_upgrade()
                agent.run()
            finally:
                ended.set()
                self._stop.set()

        threading.Thread(target=run, name="agent", daemon=True).start()
        self._tell(_RUNNING)
        self._stop.wait()
        broke_off = ended.is_set()
        agent.stop()
        if not ended.wait(_GRACE):
            _log.warning("the service stops in the midst of a turn")
        _log.info("the agent has stopped")
        self._tell(_STOPPED, BAD_START if broke_off else 0)

    def _resume_upgrade(self) -> None:
        try:
            resume_upgrade(self._data, self._stop)
        except (OSError, ValueError):
            _log.exception("nobody watches over this release of the agent")

    def _control(self, control: int, _kind: int, _event: object, _context: object) -> int:
        if control in (_CONTROL_STOP, _CONTROL_SHUTDOWN):
            self._tell(_STOP_PENDING)
            self._stop.set()
            return _NO_ERROR
        if control == _CONTROL_INTERROGATE:
            self._tell(self._state)
            return _NO_ERROR
        return _NOT_IMPLEMENTED

    def _tell(self, state: int, specific_exit_code: int = 0) -> None:
        self._state = state
        status = _Status(
            kind=_OWN_PROCESS,
            state=state,
            accepted=_ACCEPT_STOP | _ACCEPT_SHUTDOWN if state == _RUNNING else 0,
            exit_code=_SERVICE_SPECIFIC if specific_exit_code else 0,
            specific_exit_code=specific_exit_code,
            wait_hint=int(_GRACE * 2000) if state in (_START_PENDING, _STOP_PENDING) else 0,
        )
        _api.SetServiceStatus(self._handle, ctypes.byref(status))
