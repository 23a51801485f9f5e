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

from reconciler.agent.windows.msi import ERROR_SUCCESS, dll
from reconciler.agent.windows.tables import Handle, rows

_IGNORE_MACHINE_STATE = 1
_CONDITION_FALSE = 0
_PROPERTY = re.compile(r'([A-Z_][A-Z0-9_.]*)=(?:"((?:[^"]|"")*)"|(\S*))')
_SEARCHES = ("AppSearch", "FindRelatedProducts")  # the standard actions before LaunchConditions; both only look

dll.MsiOpenPackageExW.argtypes = [c_wchar_p, c_uint, POINTER(Handle)]
dll.MsiSetPropertyW.argtypes = [Handle, c_wchar_p, c_wchar_p]
dll.MsiDoActionW.argtypes = [Handle, c_wchar_p]
dll.MsiGetActiveDatabase.argtypes = [Handle]
dll.MsiGetActiveDatabase.restype = Handle
dll.MsiEvaluateConditionW.argtypes = [Handle, c_wchar_p]


def unmet_conditions(file: str, properties: str) -> list[str]:
    """Return the texts of the conditions in ``file`` that do not hold on this machine.

    Args:
        file: the path of the MSI.
        properties: the properties given to the run, as it was given them.
    """
    package = Handle()
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


def _rows(package: ctypes.c_uint) -> list[tuple[str, ...]]:
    database = dll.MsiGetActiveDatabase(package)
    try:
        return rows(database, "SELECT `Condition`, `Description` FROM `LaunchCondition`", 2)
    finally:
        dll.MsiCloseHandle(database)
