"""Waits while another installation is at work on the machine. Imports next to nothing.

Source: learn.microsoft.com/windows/win32/msi/-msiexecute-mutex: Windows Installer holds it in execute sequences
only, so it can still come to a 1618 after it was free.
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
from ctypes import c_int, c_uint, c_void_p, c_wchar_p

MUTEX = r"Global\_MSIExecute"

_SYNCHRONIZE = 0x0010_0000
_WAIT_TIMEOUT = 0x102

_kernel = ctypes.WinDLL("kernel32")
_kernel.OpenMutexW.argtypes = [c_uint, c_int, c_wchar_p]
_kernel.OpenMutexW.restype = c_void_p
_kernel.WaitForSingleObject.argtypes = [c_void_p, c_uint]
_kernel.ReleaseMutex.argtypes = [c_void_p]
_kernel.CloseHandle.argtypes = [c_void_p]


def wait_for_installer(seconds: float) -> bool:
    """Wait until no installation is at work, ``seconds`` at most; return whether none is.

    Where the mutex may not be opened, Windows Installer is left to say so itself.
    """
    mutex = _kernel.OpenMutexW(_SYNCHRONIZE, False, MUTEX)
    if not mutex:
        return True
    try:
        if _kernel.WaitForSingleObject(mutex, int(seconds * 1000)) == _WAIT_TIMEOUT:
            return False
        _kernel.ReleaseMutex(mutex)  # the installer itself wants it next
        return True
    finally:
        _kernel.CloseHandle(mutex)
