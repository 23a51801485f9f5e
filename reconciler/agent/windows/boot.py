"""Tells when Windows started, and what asks for it to be started again. Changes nothing.

``PendingFileRenameOperations`` is no signal by itself, since almost any program adds to it: what stands there is
told apart from the signals, so that only new entries count.
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
import os
import platform
import shutil
import time
import winreg

_SIGNAL_KEYS = {
    "Windows servicing (CBS)": (
        r"SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending"
    ),
    "Windows Update": r"SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired",
}
_RENAMES = r"SYSTEM\CurrentControlSet\Control\Session Manager"
_RENAME_VALUES = ("PendingFileRenameOperations", "PendingFileRenameOperations2")
_UPDATE_EXE = r"SOFTWARE\Microsoft\Updates"

_ticks = ctypes.WinDLL("kernel32").GetTickCount64
_ticks.restype = ctypes.c_uint64


def booted_at() -> int:
    """Return when Windows started, in seconds since the epoch; it wavers as the clock is set right."""
    return int(time.time() - _ticks() / 1000)


def reboot_signals() -> tuple[str, ...]:
    """Return what asks for a reboot, in words; empty where nothing does."""
    found = [name for name, path in _SIGNAL_KEYS.items() if _exists(path)]
    if _value(_UPDATE_EXE, "UpdateExeVolatile"):
        found.append("an update installer (UpdateExeVolatile)")
    return tuple(found)


def pending_renames() -> tuple[str, ...]:
    """Return the files that another one takes the place of at the next boot, in order, each once.

    Files that are only deleted then are left out: installers get rid of their own temporary files so.

    Source: learn.microsoft.com/windows/win32/api/winbase/nf-winbase-movefileexw (MOVEFILE_DELAY_UNTIL_REBOOT)
    """
    found: set[str] = set()
    for name in _RENAME_VALUES:
        listed = _value(_RENAMES, name)
        if isinstance(listed, list):
            # In pairs, source and target; a target marked by "!" may be replaced.
            found |= {target.lstrip("!").removeprefix("\\??\\") for target in listed[1::2] if target}
    return tuple(sorted(found))


def free_bytes() -> int | None:
    """Return what is free on the system's drive; ``None`` where Windows does not tell."""
    try:
        return shutil.disk_usage(os.environ.get("SYSTEMDRIVE", "C:") + "\\").free
    except OSError:
        return None


def machine_id() -> str:
    """Return what Windows called itself when it was installed (MachineGuid); empty where that cannot be read.

    A copied disk has the same one until Sysprep makes another.
    """
    found = _value(r"SOFTWARE\Microsoft\Cryptography", "MachineGuid")
    return found if isinstance(found, str) else ""


def system() -> str:
    """Return the name and build of Windows. It does not change while Windows runs."""
    version = sys.getwindowsversion()
    return f"Windows {version.major}.{version.minor}.{version.build} {platform.machine()}"


def _exists(path: str) -> bool:
    try:
        winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path, 0, winreg.KEY_READ | winreg.KEY_WOW64_64KEY).Close()
    except OSError:
        return False
    return True


def _value(path: str, name: str) -> object:
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path, 0, winreg.KEY_READ | winreg.KEY_WOW64_64KEY) as key:
            return winreg.QueryValueEx(key, name)[0]
    except OSError:
        return None
