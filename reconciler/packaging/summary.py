"""Gives a built MSI's summary information a fixed PackageCode and fixed times; touches nothing else in the file.

wixl makes up a PackageCode at each build and stamps the clock: with both set, equal sources give equal files.

Source: learn.microsoft.com/openspecs/windows_protocols/ms-oleps (property sets)
"""

from __future__ import annotations

import struct

from reconciler.packaging.errors import PackageBuildFailed

_SUMMARY_FORMAT = bytes.fromhex("E0859FF2F94F6810AB9108002B27B3D9")
"""FMTID_SummaryInformation, {F29F85E0-4FF9-1068-AB91-08002B27B3D9}, as it is stored."""

_SECTION_START = struct.Struct("<I")
_HEADER_BEFORE_FORMAT = 28
_REVISION_NUMBER = 9
_CREATED = 12
_LAST_SAVED = 13
_VT_LPSTR = 0x1E
_VT_FILETIME = 0x40
_SECONDS_FROM_1601_TO_1970 = 11_644_473_600


def with_fixed_summary(msi: bytes, package_code: str, unix_time: int) -> bytes:
    """Return ``msi`` with this PackageCode, created and last saved at ``unix_time`` (seconds since 1970).

    Args:
        msi: a file that holds its summary information in one piece, as one written in one go does.
        package_code: a GUID in braces and upper case.
        unix_time: seconds.

    Raises:
        PackageBuildFailed: the summary information is not where and what it should be.
    """
    fixed = bytearray(msi)
    properties = _properties(msi)
    code = package_code.encode("ascii") + b"\0"
    _overwrite(fixed, properties, _REVISION_NUMBER, struct.pack("<II", _VT_LPSTR, len(code)), code)
    file_time = struct.pack("<Q", (unix_time + _SECONDS_FROM_1601_TO_1970) * 10_000_000)
    for identifier in (_CREATED, _LAST_SAVED):
        _overwrite(fixed, properties, identifier, struct.pack("<I", _VT_FILETIME), file_time)
    return bytes(fixed)


def _properties(msi: bytes) -> dict[int, int]:
    """Return where each property of the summary information begins in the file, by its identifier."""
    place = msi.find(_SUMMARY_FORMAT)
    if place < 0 or msi.find(_SUMMARY_FORMAT, place + 1) >= 0:
        raise PackageBuildFailed("the MSI has no summary information, or more than one")
    (offset,) = _SECTION_START.unpack_from(msi, place + len(_SUMMARY_FORMAT))
    section = place - _HEADER_BEFORE_FORMAT + offset
    _size, count = struct.unpack_from("<II", msi, section)
    pairs = struct.iter_unpack("<II", msi[section + 8 : section + 8 + 8 * count])
    return {identifier: section + start for identifier, start in pairs}


def _overwrite(msi: bytearray, properties: dict[int, int], identifier: int, head: bytes, value: bytes) -> None:
    start = properties.get(identifier, -1)
    if start < 0 or msi[start : start + len(head)] != head:
        raise PackageBuildFailed(f"property {identifier} of the summary information is not what wixl writes")
    value_start = start + len(head)
    msi[value_start : value_start + len(value)] = value
