"""Reads the version resource of a file for the stand-ins, as .NET's FileVersionInfo tells it.

Source: learn.microsoft.com/windows/win32/api/winver/nf-winver-verqueryvaluew
"""

from __future__ import annotations

import ctypes
import struct
import sys
from ctypes import wintypes
from typing import Any

_SIGNATURE = 0xFEEF04BD
_USUAL_TABLES = ("040904b0", "040904e4", "04090000")
"""Where FileVersionInfo looks for texts besides the table of the language that the resource names."""


def file_version(path: str) -> str | None:
    """Return the version in four numbers of a file that has a text ``FileVersion``; `None` where it has none."""
    if sys.platform == "win32":
        return _told(ctypes.WinDLL("version"), path)
    raise OSError("versions are told by Windows")


def _told(library: Any, path: str) -> str | None:
    size = library.GetFileVersionInfoSizeW(wintypes.LPCWSTR(path), None)
    resource = ctypes.create_string_buffer(size)
    if not size or not library.GetFileVersionInfoW(wintypes.LPCWSTR(path), 0, size, resource):
        return None

    def value(name: str, unit: int = 1) -> bytes:
        found, length = ctypes.c_void_p(), wintypes.UINT()
        done = library.VerQueryValueW(resource, wintypes.LPCWSTR(name), ctypes.byref(found), ctypes.byref(length))
        return ctypes.string_at(found.value, length.value * unit) if done and found.value else b""

    named = struct.iter_unpack("<HH", value(r"\VarFileInfo\Translation")[:4])
    tables = [f"{language:04x}{code_page:04x}" for language, code_page in named]
    texts = (value(rf"\StringFileInfo\{table}\FileVersion", 2) for table in (*tables, *_USUAL_TABLES))
    fixed = value("\\")
    if not any(texts) or len(fixed) < 16:
        return None
    signature, _, high, low = struct.unpack_from("<4I", fixed)
    if signature != _SIGNATURE:
        return None
    return f"{high >> 16}.{high & 0xFFFF}.{low >> 16}.{low & 0xFFFF}"
