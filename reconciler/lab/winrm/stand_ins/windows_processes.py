"""Lists, ends and starts processes of Windows for the stand-ins; decides nothing."""

from __future__ import annotations

import ctypes
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from ctypes import wintypes
from dataclasses import dataclass
from functools import cache
from typing import Any

_SNAPSHOT_PROCESSES = 0x2
_TERMINATE, _READ_MEMORY, _CREATE_PROCESS, _QUERY = 0x1, 0x10, 0x80, 0x1000
_STILL_ACTIVE = 259
_PARENT_PROCESS = 0x20000
_SUSPENDED, _DETACHED, _UNICODE_ENVIRONMENT, _EXTENDED_STARTUP = 0x4, 0x8, 0x400, 0x80000
_SYSTEM_FOLDER = r"C:\windows\system32"


@dataclass(frozen=True, slots=True)
class Listed:
    """A process of this Windows."""

    pid: int
    parent: int
    name: str


def processes() -> list[Listed]:
    """Return every process."""
    snapshot = _kernel().CreateToolhelp32Snapshot(_SNAPSHOT_PROCESSES, 0)
    entry = _Entry(size=ctypes.sizeof(_Entry))
    found, more = [], _kernel().Process32FirstW(snapshot, ctypes.byref(entry))
    while more:
        found.append(Listed(entry.pid, entry.parent, entry.name))
        more = _kernel().Process32NextW(snapshot, ctypes.byref(entry))
    _kernel().CloseHandle(snapshot)
    return found


def tree_of(roots: Sequence[Listed], everything: Sequence[Listed]) -> list[Listed]:
    """Return ``roots`` and all that descend from them, parents first."""
    found, known = list(roots), {process.pid for process in roots}
    for process in found:  # grows as it is walked
        below = [child for child in everything if child.parent == process.pid and child.pid not in known]
        known.update(child.pid for child in below)
        found += below
    return found


def terminate(pid: int) -> bool:
    """End a process at once, and return whether that could be done."""
    handle = _kernel().OpenProcess(_TERMINATE, False, pid)
    if not handle:
        return False
    ended = bool(_kernel().TerminateProcess(handle, 1))
    _kernel().CloseHandle(handle)
    return ended


def is_alive(pid: int) -> bool:
    """Return whether a process runs."""
    handle = _kernel().OpenProcess(_QUERY, False, pid)
    if not handle:
        return False
    code = wintypes.DWORD()
    _kernel().GetExitCodeProcess(handle, ctypes.byref(code))
    _kernel().CloseHandle(handle)
    return code.value == _STILL_ACTIVE


def command_line(pid: int) -> str:
    """Return the command line of a process; empty where it cannot be read.

    It is read from the memory of the process, which Wine has no function for.

    Source: learn.microsoft.com/windows/win32/api/winternl/ns-winternl-peb
    """
    handle = _kernel().OpenProcess(_QUERY | _READ_MEMORY, False, pid)
    if not handle:
        return ""
    try:
        about = _Basics()
        _ntdll().NtQueryInformationProcess(handle, 0, ctypes.byref(about), ctypes.sizeof(about), None)
        (parameters,) = struct.unpack("<Q", _read(handle, about.environment_block + 0x20, 8))
        length, address = struct.unpack("<H6xQ", _read(handle, parameters + 0x70, 16))
        return _read(handle, address, length).decode("utf-16-le", "replace")
    except OSError:
        return ""  # it has ended meanwhile
    finally:
        _kernel().CloseHandle(handle)


def _read(handle: int, address: int, size: int) -> bytes:
    room = ctypes.create_string_buffer(size)
    if not _kernel().ReadProcessMemory(handle, address, room, size, None):
        raise OSError("that cannot be read")
    return room.raw


def start_as_child_of(parent: int, words: Sequence[str], before: Callable[[int], None]) -> None:
    """Start a program as a service would: in the parent's job if it has one, with the system's environment.

    Args:
        parent: the id of the process that is to be its parent.
        words: the program and its arguments.
        before: is given the new process's id before that begins to run.

    Raises:
        OSError: it could not be started.
    """
    kernel, created = _kernel(), _Created()
    handle = wintypes.HANDLE(kernel.OpenProcess(_CREATE_PROCESS, False, parent))
    size = ctypes.c_size_t()
    kernel.InitializeProcThreadAttributeList(None, 1, 0, ctypes.byref(size))
    attributes = ctypes.create_string_buffer(size.value)
    kernel.InitializeProcThreadAttributeList(attributes, 1, 0, ctypes.byref(size))
    kernel.UpdateProcThreadAttribute(
        attributes, 0, _PARENT_PROCESS, ctypes.byref(handle), ctypes.sizeof(handle), None, None
    )
    startup = _Startup(size=ctypes.sizeof(_Startup), attributes=ctypes.addressof(attributes))
    made = kernel.CreateProcessW(
        None,
        ctypes.create_unicode_buffer(subprocess.list2cmdline(words)),
        None,
        None,
        False,
        _SUSPENDED | _DETACHED | _UNICODE_ENVIRONMENT | _EXTENDED_STARTUP,
        _system_environment(),
        _SYSTEM_FOLDER,
        ctypes.byref(startup),
        ctypes.byref(created),
    )
    kernel.CloseHandle(handle)
    if not made:
        raise OSError(f"{words[0]} could not be started")
    before(created.pid)
    kernel.ResumeThread(created.thread)
    kernel.CloseHandle(created.thread)
    kernel.CloseHandle(created.process)


class _Entry(ctypes.Structure):
    _fields_ = (
        ("size", wintypes.DWORD),
        ("usage", wintypes.DWORD),
        ("pid", wintypes.DWORD),
        ("heap", ctypes.c_size_t),
        ("module", wintypes.DWORD),
        ("threads", wintypes.DWORD),
        ("parent", wintypes.DWORD),
        ("priority", wintypes.LONG),
        ("flags", wintypes.DWORD),
        ("name", wintypes.WCHAR * 260),
    )


class _Startup(ctypes.Structure):
    """STARTUPINFOEXW, of which nothing but its size and its attributes is used."""

    _fields_ = (
        ("size", wintypes.DWORD),
        ("unused", ctypes.c_byte * 96),
        ("attributes", ctypes.c_void_p),
    )


class _Created(ctypes.Structure):
    _fields_ = (
        ("process", wintypes.HANDLE),
        ("thread", wintypes.HANDLE),
        ("pid", wintypes.DWORD),
        ("thread_id", wintypes.DWORD),
    )


class _Basics(ctypes.Structure):
    """PROCESS_BASIC_INFORMATION, of which the process environment block is used."""

    _fields_ = (
        ("status", ctypes.c_size_t),
        ("environment_block", ctypes.c_size_t),
        ("unused", ctypes.c_size_t * 4),
    )


@cache
def _ntdll() -> Any:
    if sys.platform == "win32":
        library = ctypes.WinDLL("ntdll")
        library.NtQueryInformationProcess.argtypes = [
            *(wintypes.HANDLE, ctypes.c_int, ctypes.c_void_p, wintypes.ULONG, ctypes.c_void_p)
        ]
        return library
    raise OSError("these are processes of Windows")


@cache
def _kernel() -> Any:
    if sys.platform == "win32":
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        for name in ("CreateToolhelp32Snapshot", "OpenProcess"):
            getattr(kernel, name).restype = wintypes.HANDLE
        for name in ("Process32FirstW", "Process32NextW", "GetExitCodeProcess"):
            getattr(kernel, name).argtypes = [wintypes.HANDLE, ctypes.c_void_p]
        kernel.TerminateProcess.argtypes = [wintypes.HANDLE, wintypes.UINT]
        kernel.ResumeThread.argtypes = kernel.CloseHandle.argtypes = [wintypes.HANDLE]
        kernel.InitializeProcThreadAttributeList.argtypes = [
            *(ctypes.c_void_p, wintypes.DWORD, wintypes.DWORD),
            ctypes.c_void_p,
        ]
        kernel.UpdateProcThreadAttribute.argtypes = [
            *(ctypes.c_void_p, wintypes.DWORD, ctypes.c_size_t, ctypes.c_void_p),
            *(ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p),
        ]
        kernel.ReadProcessMemory.argtypes = [
            *(wintypes.HANDLE, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
        ]
        kernel.CreateProcessW.argtypes = [
            *(wintypes.LPCWSTR, wintypes.LPWSTR, ctypes.c_void_p, ctypes.c_void_p, wintypes.BOOL),
            *(wintypes.DWORD, ctypes.c_void_p, wintypes.LPCWSTR, ctypes.c_void_p, ctypes.c_void_p),
        ]
        return kernel
    raise OSError("these are processes of Windows")


def _system_environment() -> ctypes.c_void_p:
    if sys.platform == "win32":
        block = ctypes.c_void_p()
        ctypes.WinDLL("userenv").CreateEnvironmentBlock(ctypes.byref(block), None, False)
        return block
    raise OSError("these are processes of Windows")
