"""Tells when Windows started, and what asks for it to be started again. Changes nothing.

``PendingFileRenameOperations`` is left out: almost any program adds to it, so by itself it says nothing.
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
import platform
import time
import winreg

_SIGNAL_KEYS = {
    "Windows servicing (CBS)": (
        r"SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending"
    ),
    "Windows Update": r"SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired",
}
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
