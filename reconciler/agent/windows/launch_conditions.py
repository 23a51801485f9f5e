"""Finds out which launch conditions of an MSI do not hold, for a failed run that told no reason. Installs nothing.

Source: learn.microsoft.com/windows/win32/msi/launchcondition-table
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
import re
from ctypes import POINTER, c_uint, c_wchar_p

from reconciler.agent.windows.msi import ERROR_MORE_DATA, ERROR_SUCCESS, dll

_IGNORE_MACHINE_STATE = 1
_CONDITION_FALSE = 0
_PROPERTY = re.compile(r'([A-Z_][A-Z0-9_.]*)=(?:"((?:[^"]|"")*)"|(\S*))')
_SEARCHES = ("AppSearch", "FindRelatedProducts")  # the standard actions before LaunchConditions; both only look

_handle = c_uint
dll.MsiOpenPackageExW.argtypes = [c_wchar_p, c_uint, POINTER(_handle)]
dll.MsiSetPropertyW.argtypes = [_handle, c_wchar_p, c_wchar_p]
dll.MsiDoActionW.argtypes = [_handle, c_wchar_p]
dll.MsiGetActiveDatabase.argtypes = [_handle]
dll.MsiGetActiveDatabase.restype = _handle
dll.MsiDatabaseOpenViewW.argtypes = [_handle, c_wchar_p, POINTER(_handle)]
dll.MsiViewExecute.argtypes = [_handle, _handle]
dll.MsiViewFetch.argtypes = [_handle, POINTER(_handle)]
dll.MsiRecordGetStringW.argtypes = [_handle, c_uint, c_wchar_p, POINTER(c_uint)]
dll.MsiEvaluateConditionW.argtypes = [_handle, c_wchar_p]
dll.MsiCloseHandle.argtypes = [_handle]


def unmet_conditions(file: str, properties: str) -> list[str]:
    """Return the texts of the conditions in ``file`` that do not hold on this machine.

    Args:
        file: the path of the MSI.
        properties: the properties given to the run, as it was given them.
    """
    package = _handle()
    if dll.MsiOpenPackageExW(file, _IGNORE_MACHINE_STATE, ctypes.byref(package)) != ERROR_SUCCESS:
        return []
    try:
        for name, quoted, plain in _PROPERTY.findall(properties):
            dll.MsiSetPropertyW(package, name, quoted.replace('""', '"') or plain)
        for action in _SEARCHES:
            dll.MsiDoActionW(package, action)
        return [
            text
            for condition, text in _rows(package)
            if dll.MsiEvaluateConditionW(package, condition) == _CONDITION_FALSE
        ]
    finally:
        dll.MsiCloseHandle(package)


def _rows(package: ctypes.c_uint) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    database, view, record = dll.MsiGetActiveDatabase(package), _handle(), _handle()
    query = "SELECT `Condition`, `Description` FROM `LaunchCondition`"
    if dll.MsiDatabaseOpenViewW(database, query, ctypes.byref(view)) == ERROR_SUCCESS:
        if dll.MsiViewExecute(view, 0) == ERROR_SUCCESS:
            while dll.MsiViewFetch(view, ctypes.byref(record)) == ERROR_SUCCESS:
                rows.append((_text(record, 1), _text(record, 2)))
                dll.MsiCloseHandle(record)
        dll.MsiCloseHandle(view)
    dll.MsiCloseHandle(database)
    return rows


def _text(record: ctypes.c_uint, field: int) -> str:
    room = c_uint(512)
    value = ctypes.create_unicode_buffer(room.value)
    if dll.MsiRecordGetStringW(record, field, value, ctypes.byref(room)) == ERROR_MORE_DATA:
        room = c_uint(room.value + 1)
        value = ctypes.create_unicode_buffer(room.value)
        dll.MsiRecordGetStringW(record, field, value, ctypes.byref(room))
    return value.value
