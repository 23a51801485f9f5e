"""Job objects: hold a run together, so that all it has started can be ended. Imports next to nothing.

Windows keeps no list of what descends from a process once its own parent has ended, as the first part of many an
installer does; a job keeps them all. These jobs set no limits, and when one is closed everything in it goes on.

Source: learn.microsoft.com/windows/win32/procthread/job-objects
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
from ctypes import c_int, c_int64, c_size_t, c_uint, c_uint64, c_void_p, c_wchar_p

from reconciler.agent.windows.processes import open_process

_PROCESS_LIST, _EXTENDED_LIMITS = 3, 9
_MAY_LEAVE = 0x800
_QUERY, _TERMINATE = 0x4, 0x8
_MOST = 1000
"""Processes of a job that are waited for; more than that are ended too."""

_ENDED_BY_FORCE = 1
_END_SECONDS = 5.0


class _Limits(ctypes.Structure):
    _fields_ = [
        ("times", c_int64 * 2), ("flags", c_uint), ("working_set", c_size_t * 2), ("active", c_uint),
        ("affinity", c_size_t), ("priority", c_uint), ("scheduling", c_uint), ("counters", c_uint64 * 6),
        ("memory", c_size_t * 4),
    ]  # fmt: skip


class _Processes(ctypes.Structure):
    _fields_ = [("assigned", c_uint), ("listed", c_uint), ("ids", c_size_t * _MOST)]


_kernel = ctypes.WinDLL("kernel32")
_kernel.CreateJobObjectW.argtypes = [c_void_p, c_wchar_p]
_kernel.CreateJobObjectW.restype = c_void_p
_kernel.OpenJobObjectW.argtypes = [c_uint, c_int, c_wchar_p]
_kernel.OpenJobObjectW.restype = c_void_p
_kernel.AssignProcessToJobObject.argtypes = [c_void_p, c_void_p]
_kernel.SetInformationJobObject.argtypes = [c_void_p, c_int, c_void_p, c_uint]
_kernel.QueryInformationJobObject.argtypes = [c_void_p, c_int, c_void_p, c_uint, c_void_p]
_kernel.TerminateJobObject.argtypes = [c_void_p, c_uint]
_kernel.GetCurrentProcess.restype = c_void_p
_kernel.CloseHandle.argtypes = [c_void_p]


def join_job(name: str) -> None:
    """Put this process, and all that it will start, into a job that can be found by its name while this one lives.

    Where Windows does not let it, what it starts is found by its parents alone.
    """
    # Its handle is never closed: a job without one has no name.
    _join(name, _kernel.GetCurrentProcess())


def end_job(name: str) -> None:
    """End by force every process of a job and wait until they are gone. There may be no such job."""
    handle = _kernel.OpenJobObjectW(_QUERY | _TERMINATE, False, name)
    if handle:
        _end(handle)


class CommandJob:
    """A job for one process that this one has started.

    Args:
        process: its handle.
    """

    def __init__(self, process: int) -> None:
        self._handle = _join(None, process)

    def end(self) -> None:
        """End every process of it by force, and wait until they are gone."""
        if self._handle:
            _end(self._handle)

    def let_go(self) -> None:
        """Forget about it: what still runs in it goes on."""
        if self._handle:
            _kernel.CloseHandle(self._handle)


def _join(name: str | None, process: int) -> int | None:
    handle: int | None = _kernel.CreateJobObjectW(None, name)
    if not handle:
        return None
    limits = _Limits(flags=_MAY_LEAVE)
    _kernel.SetInformationJobObject(handle, _EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits))
    _kernel.AssignProcessToJobObject(handle, process)
    return handle


def _end(handle: int) -> None:
    found = _Processes()
    _kernel.QueryInformationJobObject(handle, _PROCESS_LIST, ctypes.byref(found), ctypes.sizeof(found), None)
    ending = [process for pid in found.ids[: found.listed] if (process := open_process(pid))]
    _kernel.TerminateJobObject(handle, _ENDED_BY_FORCE)
    for process in ending:
        process.wait(_END_SECONDS)
    _kernel.CloseHandle(handle)
