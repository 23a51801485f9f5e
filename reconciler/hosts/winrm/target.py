"""Says how one host is reached: its address, who asks, and that nothing secret goes over the wire in the clear."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from reconciler.desired.access import Transport, WinRMAccess
from reconciler.desired.model import Host
from reconciler.kernel.errors import ReconcilerError

PORT = 5985
TLS_PORT = 5986

_ENCRYPTS_MESSAGES = frozenset({Transport.NTLM, Transport.KERBEROS})
"""Over HTTP these encrypt each message themselves.

Source: learn.microsoft.com/windows/win32/winrm/authentication-for-remote-connections
"""


class UnsafeTransport(ReconcilerError):
    """A way to reach a host by which secrets would be read on the wire."""

    reference = "unsafe-transport"


@dataclass(frozen=True, slots=True)
class Target:
    """One host and how it is reached. ``url`` is that of its WinRM service; ``access`` holds references only."""

    host: str
    url: str
    access: WinRMAccess


def target_of(host: Host) -> Target:
    """Return how a host with the driver ``winrm`` is reached.

    Without a scheme in its address, a transport that encrypts messages goes over HTTP on port 5985, any other
    over HTTPS on port 5986.

    Raises:
        UnsafeTransport: its transport encrypts no messages and its address is one of plain HTTP, other than this
            machine's own.
    """
    assert host.winrm is not None
    access = host.winrm
    address = host.address or host.name
    if "://" not in address:
        address = f"{'http' if access.transport in _ENCRYPTS_MESSAGES else 'https'}://{address}"
    parts = urlsplit(address)
    if parts.scheme == "http" and access.transport not in _ENCRYPTS_MESSAGES and not _is_loopback(parts.hostname):
        raise UnsafeTransport(
            f"{access.transport} over plain HTTP would let anybody read along",
            where=host.name,
            hint=f"give its address as https://{parts.hostname}, or use ntlm or kerberos, which encrypt messages",
        )
    port = parts.port or (TLS_PORT if parts.scheme == "https" else PORT)
    name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return Target(host.name.upper(), f"{parts.scheme}://{name}:{port}/wsman", access)


def _is_loopback(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"
