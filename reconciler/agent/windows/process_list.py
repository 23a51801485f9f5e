"""Lists the processes of the machine with their parents, and ends trees of them. Imports next to nothing.

Source: learn.microsoft.com/windows/win32/toolhelp/taking-a-snapshot-and-viewing-processes
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
import os
from ctypes import POINTER, c_long, c_uint, c_void_p, c_wchar

from reconciler.agent.windows.processes import open_process

_PROCESSES = 0x2
_NO_HANDLE = c_void_p(-1).value
_END_SECONDS = 5.0


class _Entry(ctypes.Structure):
    _fields_ = [
        ("size", c_uint),
        ("usage", c_uint),
        ("pid", c_uint),
        ("heap", c_void_p),
        ("module", c_uint),
        ("threads", c_uint),
        ("parent", c_uint),
        ("priority", c_long),
        ("flags", c_uint),
        ("image", c_wchar * 260),
    ]


_kernel = ctypes.WinDLL("kernel32", use_last_error=True)
_kernel.CreateToolhelp32Snapshot.argtypes = [c_uint, c_uint]
_kernel.CreateToolhelp32Snapshot.restype = c_void_p
_kernel.Process32FirstW.argtypes = [c_void_p, POINTER(_Entry)]
_kernel.Process32NextW.argtypes = [c_void_p, POINTER(_Entry)]
_kernel.CloseHandle.argtypes = [c_void_p]

Listed = tuple[int, int, str]
"""A process: its id, its parent's, and the name of its image."""


def list_processes() -> list[Listed]:
    """Return the processes that there are.

    Raises:
        OSError: Windows does not tell.
    """
    snapshot = _kernel.CreateToolhelp32Snapshot(_PROCESSES, 0)
    if snapshot == _NO_HANDLE:
        raise ctypes.WinError(ctypes.get_last_error())
    try:
        found: list[Listed] = []
        entry = _Entry(size=ctypes.sizeof(_Entry))
        more = _kernel.Process32FirstW(snapshot, ctypes.byref(entry))
        while more:
            found.append((entry.pid, entry.parent, entry.image))
            more = _kernel.Process32NextW(snapshot, ctypes.byref(entry))
        return found
    finally:
        _kernel.CloseHandle(snapshot)


def end_tree(pid: int, created: int) -> None:
    """End a process by force, with all that it has started, and wait until they are gone.

    A process whose parent has ended before is not found: `reconciler.agent.windows.jobs` is for that.

    Args:
        pid: its id.
        created: its creation time, as `reconciler.agent.windows.processes.Process` has it. What was created
            before it only bears the id of a parent that is long gone.
    """
    _end(_descendants(list_processes(), pid), created)


def end_by_image(image: str, created_after: int = 0) -> int:
    """End by force the processes of an image, but not this one nor those that it descends from.

    Args:
        image: the image's file name, in any case.
        created_after: only those created since then; all where it is 0.

    Returns:
        how many there were.
    """
    listed = list_processes()
    ours = _ancestors(listed, os.getpid())
    return _end(
        [pid for pid, _, name in listed if name.lower() == image.lower() and pid not in ours], created_after
    )


def _end(pids: list[int], created_after: int) -> int:
    ending = [process for pid in pids if (process := open_process(pid)) and process.created >= created_after]
    for process in ending:
        process.terminate()
    for process in ending:
        process.wait(_END_SECONDS)
    return len(ending)


def _descendants(listed: list[Listed], pid: int) -> list[int]:
    """Return the process and what it has started, parents first: so that none can start another in its place."""
    found = [pid]
    for parent in found:
        found += [child for child, its_parent, _ in listed if its_parent == parent and child not in found]
    return found


def _ancestors(listed: list[Listed], pid: int) -> set[int]:
    parents = {child: parent for child, parent, _ in listed}
    found: set[int] = set()
    while pid and pid not in found:
        found.add(pid)
        pid = parents.get(pid, 0)
    return found
