"""Finds processes again by their id and creation time, waits for them and ends them. Imports next to nothing.

Source: learn.microsoft.com/windows/win32/api/processthreadsapi
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
from ctypes import POINTER, c_int, c_uint, c_uint64, c_void_p

_SYNCHRONIZE = 0x0010_0000
_TERMINATE = 0x0001
_QUERY_LIMITED = 0x1000
_WAIT_OBJECT = 0
_ENDED_BY_FORCE = 1

_kernel = ctypes.WinDLL("kernel32")
_kernel.OpenProcess.argtypes = [c_uint, c_int, c_uint]
_kernel.OpenProcess.restype = c_void_p
_kernel.GetCurrentProcess.restype = c_void_p
_kernel.GetProcessTimes.argtypes = [c_void_p] + [POINTER(c_uint64)] * 4
_kernel.WaitForSingleObject.argtypes = [c_void_p, c_uint]
_kernel.TerminateProcess.argtypes = [c_void_p, c_uint]
_kernel.CloseHandle.argtypes = [c_void_p]


def own_claim() -> str:
    """Return how this process can be found again: its id and creation time, since ids are used anew."""
    return f"{_kernel.GetCurrentProcessId()} {_created(_kernel.GetCurrentProcess())}"


def run_job(pid: int, created: int) -> str:
    """Return the name of the job of the run that a process carries out.

    Args:
        pid: its id.
        created: its creation time.
    """
    return f"ReconcilerRun-{pid}-{created}"


def own_run_job() -> str:
    """Return the name of the job of the run that this process carries out."""
    return run_job(_kernel.GetCurrentProcessId(), _created(_kernel.GetCurrentProcess()))


def find_process(claim: str) -> Process | None:
    """Return the running process that calls itself ``claim`` (see `own_claim`), or ``None``."""
    try:
        pid, created = (int(part) for part in claim.split())
    except ValueError:
        return None
    process = open_process(pid)
    if process is None or process.created != created or process.wait(0):
        return None
    return process


def open_process(pid: int) -> Process | None:
    """Return the process with this id, or ``None``."""
    handle = _kernel.OpenProcess(_SYNCHRONIZE | _TERMINATE | _QUERY_LIMITED, False, pid)
    return Process(pid, handle) if handle else None


class Process:
    """A process, held by a handle."""

    def __init__(self, pid: int, handle: int) -> None:
        self.pid = pid
        self._handle = handle
        self.created = _created(handle)

    def wait(self, seconds: float) -> bool:
        """Wait for its end, ``seconds`` at most; return whether it has ended."""
        return bool(_kernel.WaitForSingleObject(self._handle, int(seconds * 1000)) == _WAIT_OBJECT)

    def terminate(self) -> None:
        """End it by force, but nothing that it has started."""
        _kernel.TerminateProcess(self._handle, _ENDED_BY_FORCE)

    def __del__(self) -> None:
        _kernel.CloseHandle(self._handle)


def _created(handle: int) -> int:
    times = [c_uint64() for _ in range(4)]
    _kernel.GetProcessTimes(handle, *(ctypes.byref(item) for item in times))
    return times[0].value
