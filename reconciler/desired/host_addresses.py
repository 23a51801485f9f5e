"""Compares the addresses of hosts, however they are spelled. Pure: resolves no names."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

STANDARD_PORTS = (5985, 5986)
"""WinRM over HTTP and over HTTPS: two ports of one service.

Source: learn.microsoft.com/windows/win32/winrm/installation-and-configuration-for-windows-remote-management
"""

_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")


def split_address(address: str) -> tuple[str, str, int | None]:
    """Return the scheme (empty where there is none), the host and the port (``None`` likewise) of an address."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    return parts.scheme, parts.hostname or "", parts.port


def ip_of(host: str) -> IPAddress | None:
    """Return the IP address that ``host`` spells, in one form for each; ``None`` where it is a name.

    An IPv4 address that is written as an IPv6 address (``::ffff:10.0.0.1``) is that IPv4 address.
    """
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def is_number_in_disguise(address: str) -> bool:
    """Return whether an address ends in a number and is no IPv4 address: resolvers read ``127.1`` as one.

    Source: url.spec.whatwg.org, "ends in a number checker"
    """
    host = split_address(address)[1].rstrip(".")
    return ip_of(host) is None and _NUMBER.fullmatch(host.rpartition(".")[2]) is not None


def endpoint_key(address: str) -> tuple[str, int]:
    """Return what two spellings of one address have in common: the host and the port.

    Case and a trailing dot do not count, nor how an IP address is written. Both standard ports, and no port, are
    one: they lead to the same service.
    """
    _, host, port = split_address(address)
    found = ip_of(host)
    name = str(found) if found is not None else host.lower().rstrip(".")
    return name, STANDARD_PORTS[0] if port is None or port in STANDARD_PORTS else port
