"""The functions of msi.dll that the agent calls, as ctypes sees them. Imports next to nothing else.

Source: learn.microsoft.com/windows/win32/api/msi
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
from ctypes import POINTER, c_uint, c_void_p, c_wchar_p

ERROR_SUCCESS = 0
ERROR_MORE_DATA = 234
ERROR_NO_MORE_ITEMS = 259

dll = ctypes.WinDLL("msi")

UiHandler = ctypes.WINFUNCTYPE(ctypes.c_int, c_void_p, c_uint, c_wchar_p)

dll.MsiEnumProductsExW.argtypes = [
    c_wchar_p, c_wchar_p, c_uint, c_uint, c_wchar_p, POINTER(c_uint), c_wchar_p, POINTER(c_uint)
]  # fmt: skip
dll.MsiGetProductInfoExW.argtypes = [c_wchar_p, c_wchar_p, c_uint, c_wchar_p, c_wchar_p, POINTER(c_uint)]
dll.MsiSetInternalUI.argtypes = [c_uint, c_void_p]
dll.MsiSetExternalUIW.argtypes = [UiHandler, c_uint, c_void_p]
dll.MsiSetExternalUIW.restype = c_void_p
dll.MsiEnableLogW.argtypes = [c_uint, c_wchar_p, c_uint]
dll.MsiInstallProductW.argtypes = [c_wchar_p, c_wchar_p]
dll.MsiConfigureProductExW.argtypes = [c_wchar_p, c_uint, c_uint, c_wchar_p]
dll.MsiEnumPatchesExW.argtypes = [
    c_wchar_p, c_wchar_p, c_uint, c_uint, c_uint, c_wchar_p, c_wchar_p, POINTER(c_uint), c_wchar_p, POINTER(c_uint)
]  # fmt: skip
dll.MsiGetPatchInfoExW.argtypes = [
    c_wchar_p, c_wchar_p, c_wchar_p, c_uint, c_wchar_p, c_wchar_p, POINTER(c_uint)
]  # fmt: skip
dll.MsiApplyPatchW.argtypes = [c_wchar_p, c_wchar_p, c_uint, c_wchar_p]
dll.MsiRemovePatchesW.argtypes = [c_wchar_p, c_wchar_p, c_uint, c_wchar_p]
dll.MsiGetProductInfoW.argtypes = [c_wchar_p, c_wchar_p, c_wchar_p, POINTER(c_uint)]
