r"""Reads, writes and deletes registry values as 64-bit programs see them. Keys are written ``HKLM\SOFTWARE\…``.

Source: learn.microsoft.com/windows/win32/sysinfo/registry-value-types
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import winreg
from contextlib import suppress

_ROOTS = {
    "HKLM": winreg.HKEY_LOCAL_MACHINE,
    "HKEY_LOCAL_MACHINE": winreg.HKEY_LOCAL_MACHINE,
    "HKU": winreg.HKEY_USERS,
    "HKEY_USERS": winreg.HKEY_USERS,
    "HKCR": winreg.HKEY_CLASSES_ROOT,
    "HKEY_CLASSES_ROOT": winreg.HKEY_CLASSES_ROOT,
}
_TYPES = {
    "REG_SZ": winreg.REG_SZ,
    "REG_EXPAND_SZ": winreg.REG_EXPAND_SZ,
    "REG_MULTI_SZ": winreg.REG_MULTI_SZ,
    "REG_DWORD": winreg.REG_DWORD,
    "REG_QWORD": winreg.REG_QWORD,
}
_NAMES = {number: name for name, number in _TYPES.items()} | {
    winreg.REG_BINARY: "REG_BINARY",
    winreg.REG_NONE: "REG_NONE",
    winreg.REG_LINK: "REG_LINK",
    winreg.REG_DWORD_BIG_ENDIAN: "REG_DWORD_BIG_ENDIAN",
    winreg.REG_RESOURCE_LIST: "REG_RESOURCE_LIST",
}


def read_value(key: str, name: str) -> tuple[str, str] | None:
    """Return a value's type and data as text: numbers in decimal, lists one item a line, else hexadecimal.

    Args:
        key: the key.
        name: the value's name; empty for the default value.

    Returns:
        ``None`` where there is no such key or value.

    Raises:
        OSError: it may not be read, or the key's root is not one of a machine's.
    """
    root, path = _split(key)
    try:
        with winreg.OpenKey(root, path, 0, winreg.KEY_QUERY_VALUE | winreg.KEY_WOW64_64KEY) as opened:
            data, number = winreg.QueryValueEx(opened, name)
    except FileNotFoundError:
        return None
    return _NAMES.get(number, f"type {number}"), _as_text(data)


def write_value(key: str, name: str, kind: str, data: str) -> None:
    """Set a value, making its key where there is none. Arguments are as `read_value` returns them.

    Raises:
        OSError: it may not be written.
        ValueError: the data is not of its type.
    """
    root, path = _split(key)
    number = _TYPES[kind]
    value: int | str | list[str] = data
    if number in (winreg.REG_DWORD, winreg.REG_QWORD):
        value = int(data)
    elif number == winreg.REG_MULTI_SZ:
        value = data.split("\n") if data else []
    with winreg.CreateKeyEx(root, path, 0, winreg.KEY_SET_VALUE | winreg.KEY_WOW64_64KEY) as opened:
        winreg.SetValueEx(opened, name, 0, number, value)


def delete_value(key: str, name: str) -> None:
    """Delete a value; nothing to do where there is none. Its key stays, empty or not.

    Raises:
        OSError: it may not be deleted.
    """
    root, path = _split(key)
    with (
        suppress(FileNotFoundError),
        winreg.OpenKey(root, path, 0, winreg.KEY_SET_VALUE | winreg.KEY_WOW64_64KEY) as opened,
    ):
        winreg.DeleteValue(opened, name)


def _split(key: str) -> tuple[int, str]:
    root, _, path = key.partition("\\")
    if root.upper() not in _ROOTS:
        raise OSError(f"{key} is under no root of the machine's registry, such as HKLM")
    return _ROOTS[root.upper()], path


def _as_text(data: object) -> str:
    if isinstance(data, list):
        return "\n".join(data)
    if isinstance(data, bytes):
        return data.hex()
    return "" if data is None else str(data)
