"""Reads rows of an MSI file through msi.dll. Installs nothing.

Source: learn.microsoft.com/windows/win32/api/msiquery
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
from ctypes import POINTER, c_uint, c_void_p, c_wchar_p
from pathlib import Path

from reconciler.agent.windows.msi import ERROR_MORE_DATA, ERROR_SUCCESS, dll

_READ_ONLY = None

Handle = c_uint
dll.MsiOpenDatabaseW.argtypes = [c_wchar_p, c_void_p, POINTER(Handle)]
dll.MsiDatabaseOpenViewW.argtypes = [Handle, c_wchar_p, POINTER(Handle)]
dll.MsiViewExecute.argtypes = [Handle, Handle]
dll.MsiViewFetch.argtypes = [Handle, POINTER(Handle)]
dll.MsiRecordGetStringW.argtypes = [Handle, c_uint, c_wchar_p, POINTER(c_uint)]
dll.MsiCloseHandle.argtypes = [Handle]


def property_of(file: Path, name: str) -> str:
    """Return a property that ``file`` sets; empty where it sets none, or is no MSI.

    Args:
        file: the MSI.
        name: the property's name, a plain word.
    """
    database = Handle()
    if dll.MsiOpenDatabaseW(str(file), _READ_ONLY, ctypes.byref(database)) != ERROR_SUCCESS:
        return ""
    try:
        query = f"SELECT `Value` FROM `Property` WHERE `Property` = '{name}'"  # noqa: S608 - a plain word
        return next((row[0] for row in rows(database, query, 1)), "")
    finally:
        dll.MsiCloseHandle(database)


def rows(database: c_uint, query: str, columns: int) -> list[tuple[str, ...]]:
    """Return what ``query`` finds, as texts; nothing where the table is not there."""
    found: list[tuple[str, ...]] = []
    view, record = Handle(), Handle()
    if dll.MsiDatabaseOpenViewW(database, query, ctypes.byref(view)) != ERROR_SUCCESS:
        return found
    if dll.MsiViewExecute(view, 0) == ERROR_SUCCESS:
        while dll.MsiViewFetch(view, ctypes.byref(record)) == ERROR_SUCCESS:
            found.append(tuple(_text(record, column + 1) for column in range(columns)))
            dll.MsiCloseHandle(record)
    dll.MsiCloseHandle(view)
    return found


def _text(record: c_uint, field: int) -> str:
    room = c_uint(512)
    value = ctypes.create_unicode_buffer(room.value)
    if dll.MsiRecordGetStringW(record, field, value, ctypes.byref(room)) == ERROR_MORE_DATA:
        room = c_uint(room.value + 1)
        value = ctypes.create_unicode_buffer(room.value)
        dll.MsiRecordGetStringW(record, field, value, ctypes.byref(room))
    return value.value
