"""Reads the version resource of a file. Changes nothing.

Source: learn.microsoft.com/windows/win32/api/winver/nf-winver-getfileversioninfow
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
from ctypes import POINTER, c_uint, c_void_p, c_wchar_p
from pathlib import Path

_SIGNATURE = 0xFEEF04BD

_version = ctypes.WinDLL("version", use_last_error=True)
_version.GetFileVersionInfoSizeW.argtypes = [c_wchar_p, POINTER(c_uint)]
_version.GetFileVersionInfoW.argtypes = [c_wchar_p, c_uint, c_uint, c_void_p]
_version.VerQueryValueW.argtypes = [c_void_p, c_wchar_p, POINTER(c_void_p), POINTER(c_uint)]


class _FixedInfo(ctypes.Structure):
    """The beginning of VS_FIXEDFILEINFO."""

    _fields_ = [("signature", c_uint), ("structure", c_uint), ("high", c_uint), ("low", c_uint)]


def file_version(path: str) -> str | None:
    """Return a file's version in four numbers, such as ``2.1.0.7``; ``None`` where it has no version resource.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(path)
    size = _version.GetFileVersionInfoSizeW(path, ctypes.byref(c_uint()))
    if not size:
        return None
    block = ctypes.create_string_buffer(size)
    found, length = c_void_p(), c_uint()
    if not _version.GetFileVersionInfoW(path, 0, size, block):
        return None
    if not _version.VerQueryValueW(block, "\\", ctypes.byref(found), ctypes.byref(length)) or not length.value:
        return None
    info = ctypes.cast(found, POINTER(_FixedInfo)).contents
    if info.signature != _SIGNATURE:
        return None
    return f"{info.high >> 16}.{info.high & 0xFFFF}.{info.low >> 16}.{info.low & 0xFFFF}"
