"""Groups client addresses for limits: what one client can choose at will counts as one address."""

from __future__ import annotations

import functools
import ipaddress

_CHOSEN_BITS = 64
"""The part of an IPv6 address that a client chooses itself (RFC 4291, section 2.5.4)."""


@functools.lru_cache(maxsize=4096)
def address_group(address: str) -> str:
    """Return what stands for an address where limits per address are counted.

    Args:
        address: as the socket or a trusted proxy gives it.

    Returns:
        an IPv4 address as it is, also where it is written as an IPv6 one; the /64 network of any other IPv6
        address; ``unknown`` for everything else, so that invented text never makes more groups.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 128 - _CHOSEN_BITS), strict=False))
