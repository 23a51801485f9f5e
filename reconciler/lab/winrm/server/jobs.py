"""Starts a Windows process inside a job object, so that all it has started ends with it."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Mapping
from ctypes import wintypes
from dataclasses import dataclass
from functools import cache
from typing import Any

_CREATE_SUSPENDED = 0x4
_EXTENDED_LIMITS = 9
_KILL_ON_JOB_CLOSE = 0x2000


@dataclass(frozen=True, slots=True)
class Start:
    """What to start: a whole command line, its folder, its environment and flags of CreateProcess."""

    command_line: str
    folder: str | None
    environment: Mapping[str, str]
    flags: int = 0


class Job:
    """A process and all that it starts."""

    def __init__(self, start: Start) -> None:
        """Start the process, with pipes for its three streams.

        Raises:
            OSError: it could not be started.
        """
        self._job = _kernel().CreateJobObjectW(None, None)
        limits = _ExtendedLimits()
        limits.basic.flags = _KILL_ON_JOB_CLOSE
        size = ctypes.sizeof(limits)
        _kernel().SetInformationJobObject(self._job, _EXTENDED_LIMITS, ctypes.byref(limits), size)
        try:
            # Suspended, so that it starts nothing before it is in the job.
            self.process = subprocess.Popen(
                start.command_line,
                cwd=start.folder,
                env=dict(start.environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                creationflags=_CREATE_SUSPENDED | start.flags,
            )
        except OSError:
            _kernel().CloseHandle(self._job)
            raise
        handle = int(self.process._handle)  # type: ignore[attr-defined]
        _kernel().AssignProcessToJobObject(self._job, handle)
        _resume_process()(handle)

    def terminate(self, exit_code: int) -> None:
        """End every process of the job at once; each returns ``exit_code``."""
        _kernel().TerminateJobObject(self._job, exit_code)

    def close(self) -> None:
        """Let go of the job, which ends what is left in it."""
        _kernel().CloseHandle(self._job)


class _BasicLimits(ctypes.Structure):
    _fields_ = (
        ("per_process_time", ctypes.c_int64),
        ("per_job_time", ctypes.c_int64),
        ("flags", wintypes.DWORD),
        ("minimum_working_set", ctypes.c_size_t),
        ("maximum_working_set", ctypes.c_size_t),
        ("active_processes", wintypes.DWORD),
        ("affinity", ctypes.c_size_t),
        ("priority", wintypes.DWORD),
        ("scheduling", wintypes.DWORD),
    )


class _ExtendedLimits(ctypes.Structure):
    _fields_ = (("basic", _BasicLimits), ("io_counters", ctypes.c_uint64 * 6), ("memory", ctypes.c_size_t * 4))


@cache
def _kernel() -> Any:
    if sys.platform == "win32":
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.CreateJobObjectW.restype = wintypes.HANDLE
        kernel.CreateJobObjectW.argtypes = [wintypes.LPVOID, wintypes.LPCWSTR]
        kernel.AssignProcessToJobObject.argtypes = [wintypes.HANDLE, wintypes.HANDLE]
        kernel.TerminateJobObject.argtypes = [wintypes.HANDLE, wintypes.UINT]
        kernel.SetInformationJobObject.argtypes = [wintypes.HANDLE, ctypes.c_int, wintypes.LPVOID, wintypes.DWORD]
        kernel.CloseHandle.argtypes = [wintypes.HANDLE]
        return kernel
    raise OSError("job objects are a thing of Windows")


@cache
def _resume_process() -> Any:
    if sys.platform == "win32":
        resume = ctypes.WinDLL("ntdll").NtResumeProcess
        resume.argtypes = [wintypes.HANDLE]
        return resume
    raise OSError("job objects are a thing of Windows")
