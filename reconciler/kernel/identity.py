"""How Windows Installer names things: GUIDs, packed GUIDs and product versions of three counting fields."""

from __future__ import annotations

import re
from functools import lru_cache

from reconciler.kernel.errors import ReconcilerError

_GUID = re.compile(r"\{?([0-9A-Fa-f]{8})-([0-9A-Fa-f]{4})-([0-9A-Fa-f]{4})-([0-9A-Fa-f]{4})-([0-9A-Fa-f]{12})\}?")
_PACKED = re.compile(r"[0-9A-Fa-f]{32}")
_VERSION = re.compile(r"[0-9]{1,5}(\.[0-9]{1,5}){1,3}")
_FIELD_LIMITS = (255, 255, 65535)

ThreeFields = tuple[int, int, int]
"""Major, minor and build: what Windows Installer compares."""


class InvalidIdentity(ReconcilerError):
    """A GUID or product version that Windows Installer would not accept."""

    reference = "invalid-identity"


def normalise_guid(text: str) -> str:
    """Return ``text`` as Windows Installer writes GUIDs: upper case, in braces.

    Args:
        text: a GUID with or without braces, in any case.

    Raises:
        InvalidIdentity: ``text`` is not a GUID.

    Source: learn.microsoft.com/windows/win32/msi/guid
    """
    match = _GUID.fullmatch(text.strip())
    if match is None:
        raise InvalidIdentity(f"{text!r} is not a GUID", hint="write it as {XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX}")
    return "{" + "-".join(match.groups()).upper() + "}"


def pack_guid(guid: str) -> str:
    """Return the packed form under which the registry keeps product and upgrade codes.

    The first three groups are reversed digit by digit, the last two byte by byte with their digits swapped.

    Args:
        guid: a GUID in any form that `normalise_guid` takes.

    Raises:
        InvalidIdentity: ``guid`` is not a GUID.
    """
    first, second, third, fourth, fifth = normalise_guid(guid)[1:-1].split("-")
    tail = fourth + fifth
    swapped = "".join(tail[i + 1] + tail[i] for i in range(0, len(tail), 2))
    return first[::-1] + second[::-1] + third[::-1] + swapped


def unpack_guid(packed: str) -> str:
    """Return the GUID that `pack_guid` made ``packed`` from.

    Raises:
        InvalidIdentity: ``packed`` is not 32 hexadecimal digits.
    """
    if _PACKED.fullmatch(packed) is None:
        raise InvalidIdentity(f"{packed!r} is not a packed GUID", hint="a packed GUID has 32 hexadecimal digits")
    first, second, third = packed[:8][::-1], packed[8:12][::-1], packed[12:16][::-1]
    tail = packed[16:]
    swapped = "".join(tail[i + 1] + tail[i] for i in range(0, len(tail), 2))
    return normalise_guid(f"{first}-{second}-{third}-{swapped[:4]}-{swapped[4:]}")


@lru_cache(maxsize=65536)
def three_fields(version: str) -> ThreeFields:
    """Return the three fields of a product version that Windows Installer compares.

    A fourth field is allowed and ignored, so ``2.1.0.7`` and ``2.1.0.9`` are equal to Windows.

    Args:
        version: a version such as ``2.1``, ``2.1.0`` or ``2.1.0.7``; at most 255.255.65535.

    Raises:
        InvalidIdentity: ``version`` is not a product version.

    Source: learn.microsoft.com/windows/win32/msi/productversion
    """
    if _VERSION.fullmatch(version) is None:
        raise InvalidIdentity(
            f"{version!r} is not a product version", hint="write two to four numbers with dots, such as 2.1.0"
        )
    fields = [int(part) for part in version.split(".")[:3]]
    fields += [0] * (3 - len(fields))
    for field, limit in zip(fields, _FIELD_LIMITS, strict=True):
        if field > limit:
            raise InvalidIdentity(
                f"{version!r} is beyond what Windows Installer can compare",
                hint="a product version is at most 255.255.65535",
            )
    return fields[0], fields[1], fields[2]
