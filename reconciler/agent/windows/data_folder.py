r"""Protects the agent's data folder: SYSTEM and Administrators, nobody else. Touches nothing that lies in it.

Windows lets every local user add files and folders in ``C:\ProgramData``, so one that lies there already may have
been planted: it is taken only where an administrator owns it.

Source: learn.microsoft.com/windows/win32/secauthz/security-descriptor-string-format
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
import logging
import uuid
from ctypes import POINTER, Structure, c_int, c_uint, c_void_p, c_wchar_p
from pathlib import Path

from reconciler.kernel.errors import ReconcilerError

PROTECTED = "O:BAG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
"""Owned by Administrators; full access for SYSTEM and Administrators, inherited below, and nothing from above."""

_REVISION = 1
_FILE_OBJECT = 1
_OWNER, _DACL, _PROTECTED_DACL = 0x1, 0x4, 0x8000_0000
_ALREADY_EXISTS = 183
_REPARSE_POINT = 0x400
_TRUSTED_OWNERS = ("S-1-5-18", "S-1-5-32-544")
_log = logging.getLogger("reconciler.agent")


class UnprotectedFolder(ReconcilerError):
    """The agent's data folder could not be protected."""

    reference = "unprotected-data-folder"


class _Attributes(Structure):
    _fields_ = [("size", c_uint), ("descriptor", c_void_p), ("inherit", c_uint)]


_api = ctypes.WinDLL("advapi32", use_last_error=True)
_kernel = ctypes.WinDLL("kernel32", use_last_error=True)
_api.ConvertStringSecurityDescriptorToSecurityDescriptorW.argtypes = [
    c_wchar_p, c_uint, POINTER(c_void_p), POINTER(c_uint)
]  # fmt: skip
_api.ConvertSidToStringSidW.argtypes = [c_void_p, POINTER(c_wchar_p)]
_api.GetNamedSecurityInfoW.argtypes = [
    c_wchar_p, c_int, c_uint,
    POINTER(c_void_p), POINTER(c_void_p), POINTER(c_void_p), POINTER(c_void_p), POINTER(c_void_p),
]  # fmt: skip
_api.SetFileSecurityW.argtypes = [c_wchar_p, c_uint, c_void_p]
_kernel.CreateDirectoryW.argtypes = [c_wchar_p, POINTER(_Attributes)]
_kernel.GetFileAttributesW.argtypes = [c_wchar_p]
_kernel.LocalFree.argtypes = [c_void_p]
_kernel.LocalFree.restype = c_void_p


def protect_folder(folder: Path) -> None:
    """Make ``folder`` as one that only SYSTEM and administrators can look into, or make it so.

    A folder that somebody else owns, or that leads elsewhere, is set aside under another name, and told of.

    Raises:
        UnprotectedFolder: it could not be made so.
        OSError: what was planted could not be set aside.
    """
    descriptor = c_void_p()
    if not _api.ConvertStringSecurityDescriptorToSecurityDescriptorW(
        PROTECTED, _REVISION, ctypes.byref(descriptor), None
    ):
        raise _failure(folder)
    try:
        if _create(folder, descriptor):
            return
        if (why := _distrust(folder)) is not None:
            aside = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}.untrusted")
            folder.rename(aside)
            _log.warning("%s %s and was set aside as %s", folder, why, aside)
            if not _create(folder, descriptor):
                raise _failure(folder)
        elif not _api.SetFileSecurityW(str(folder), _OWNER | _DACL | _PROTECTED_DACL, descriptor):
            raise _failure(folder)
    finally:
        _kernel.LocalFree(descriptor)


def _create(folder: Path, descriptor: c_void_p) -> bool:
    """Make the folder, protected from its first moment on; return whether it was not there before."""
    attributes = _Attributes(ctypes.sizeof(_Attributes), descriptor, False)
    if _kernel.CreateDirectoryW(str(folder), ctypes.byref(attributes)):
        return True
    if ctypes.get_last_error() != _ALREADY_EXISTS:
        raise _failure(folder)
    return False


def _distrust(folder: Path) -> str | None:
    """Return why a folder that lies there must not be used; ``None`` where it may."""
    if _kernel.GetFileAttributesW(str(folder)) & _REPARSE_POINT:
        return "leads elsewhere"
    owner = _owner(folder)
    if owner not in _TRUSTED_OWNERS and owner != _owner(Path(sys.executable)):
        return f"belongs to {owner}"
    return None


def _owner(path: Path) -> str:
    """Return the owner's SID, empty where it cannot be had."""
    sid, descriptor, text = c_void_p(), c_void_p(), c_wchar_p()
    unused = c_void_p()
    error = _api.GetNamedSecurityInfoW(
        str(path), _FILE_OBJECT, _OWNER,
        *(ctypes.byref(item) for item in (sid, unused, unused, unused, descriptor)),
    )  # fmt: skip
    if error:
        return ""
    try:
        if not _api.ConvertSidToStringSidW(sid, ctypes.byref(text)):
            return ""
        found = text.value or ""
        _kernel.LocalFree(text)
        return found
    finally:
        _kernel.LocalFree(descriptor)


def _failure(folder: Path) -> UnprotectedFolder:
    return UnprotectedFolder(
        f"the folder cannot be protected: error {ctypes.get_last_error()}",
        where=str(folder),
        hint="install the agent as an administrator",
    )
