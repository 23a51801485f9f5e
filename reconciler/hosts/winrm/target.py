"""Decides how one host is reached: its address, the grant for it, and that no secret is sent in the clear."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from reconciler.desired.host_addresses import STANDARD_PORTS, IPAddress, ip_of, split_address
from reconciler.desired.model import Host
from reconciler.grants.model import Grants, NotGranted, Transport, WinRMGrant, admitted, winrm_grant
from reconciler.hosts.winrm.faults import HostUnreachable
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.resolving import resolve

PORT, TLS_PORT = STANDARD_PORTS

_ENCRYPTS_MESSAGES = frozenset({Transport.NTLM, Transport.KERBEROS})
"""Over HTTP these encrypt each message themselves.

Source: learn.microsoft.com/windows/win32/winrm/authentication-for-remote-connections
"""

Resolve = Callable[[str], Iterable[IPAddress]]
"""Returns the addresses of a name, in the order of preference, or raises ``OSError``."""


class UnsafeTransport(ReconcilerError):
    """A way to reach a host by which secrets would be read on the wire."""

    reference = "unsafe-transport"


@dataclass(frozen=True, slots=True)
class Target:
    """One host and how it is reached. ``url`` is that of its WinRM service; ``grant`` holds references only.

    ``name`` is the host within ``url``: a name, or an IP address. ``grants_path`` is the file of the grant.
    """

    host: str
    url: str
    name: str
    port: int
    grant: WinRMGrant
    grants_path: str = ""


def target_of(host: Host, grants: Grants) -> Target:
    """Return how a host with the driver ``winrm`` is reached.

    Without a scheme in its address, a transport that encrypts messages goes over HTTP on port 5985, any other
    over HTTPS on port 5986.

    Args:
        host: the host.
        grants: what the server's configuration grants.

    Raises:
        NotGranted: the grant that the host names does not exist, or not for its environment.
        UnsafeTransport: the grant's transport encrypts no messages and the address is one of plain HTTP, other
            than this machine's own.
    """
    assert host.winrm is not None
    try:
        grant = winrm_grant(grants, host.winrm, host.environment)
    except NotGranted as error:
        raise NotGranted(error.what, where=host.name, hint=error.hint) from error
    given, name, port = split_address(host.address or host.name)
    scheme = given or ("http" if grant.transport in _ENCRYPTS_MESSAGES else "https")
    address = ip_of(name)
    is_own = address.is_loopback if address is not None else name == "localhost"
    if scheme == "http" and grant.transport not in _ENCRYPTS_MESSAGES and not is_own:
        raise UnsafeTransport(
            f"{grant.transport} over plain HTTP would let anybody read along",
            where=host.name,
            hint=f"give its address as https://{name}, or use a grant with ntlm or kerberos",
        )
    number = port or (TLS_PORT if scheme == "https" else PORT)
    shown = f"[{name}]" if ":" in name else name
    url = f"{scheme}://{shown}:{number}/wsman"
    return Target(host.name.upper(), url, name, number, grant, grants.path)


def address_of(target: Target, resolve: Resolve) -> IPAddress:
    """Return the address that is connected to: looked up once, and checked against the grant.

    Raises:
        NotGranted: the host is outside the networks of its grant.
        HostUnreachable: its name has no address.
    """
    own = ip_of(target.name)
    try:
        found = (own,) if own is not None else tuple(resolve(target.name))
    except (OSError, UnicodeError) as error:
        raise HostUnreachable(
            f"its name {target.name} cannot be resolved: {error}",
            where=target.host,
            hint="correct its address, or its name in the DNS that this server uses",
        ) from error
    try:
        return admitted(target.grant, target.name, found, target.grants_path)
    except NotGranted as error:
        raise NotGranted(error.what, where=target.host, hint=error.hint) from error


def system_resolver(name: str) -> tuple[IPAddress, ...]:
    """Return the addresses that this machine finds for a name.

    Raises:
        OSError: there are none.
    """
    found = (ip_of(address) for address in resolve(name))
    return tuple(address for address in found if address is not None)
