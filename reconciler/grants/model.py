"""Grants of the server's configuration, and the rules by which they cover a use. Pure: reads no secret."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from reconciler.desired.host_addresses import IPAddress
from reconciler.kernel.errors import ReconcilerError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

EVERYWHERE: Final = "*"
"""Covers all environments."""


class NotGranted(ReconcilerError):
    """The desired state names something that the server's configuration does not grant it."""

    reference = "not-granted"


class Transport(StrEnum):
    """How the server proves to a host's WinRM service who it is."""

    NTLM = "ntlm"
    KERBEROS = "kerberos"
    BASIC = "basic"
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True)
class WinRMGrant:
    """How the server signs in to the WinRM service of hosts, and of which.

    ``environments`` and ``networks`` are all that it may be used for; ``names``, where there are any, are patterns
    of which the host's address must match one as well. ``password``, ``certificate``, ``key`` and ``authority``
    are references (``env:NAME``, ``file:PATH``); empty where there is none.
    """

    name: str
    environments: tuple[str, ...]
    networks: tuple[Network, ...]
    names: tuple[str, ...] = ()
    transport: Transport = Transport.NTLM
    user: str = ""
    password: str = ""
    certificate: str = ""
    key: str = ""
    authority: str = ""


@dataclass(frozen=True, slots=True)
class ChannelGrant:
    """Where a notification channel leads. ``address`` is a reference.

    The channel carries only news of ``environments``; news of no environment goes only through a channel for all.
    ``authors`` are the mail domains at which people may be written to themselves.
    """

    name: str
    environments: tuple[str, ...]
    address: str
    authors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Grants:
    """All grants, by name. ``path`` is the file that they come from; empty where the settings name none.

    ``source_networks`` are networks of the company's own from which artifacts may be fetched.
    """

    path: str = ""
    winrm: Mapping[str, WinRMGrant] = field(default_factory=dict)
    notifications: Mapping[str, ChannelGrant] = field(default_factory=dict)
    source_networks: tuple[Network, ...] = ()


NO_GRANTS: Final = Grants()


def winrm_grant(grants: Grants, name: str, environment: str) -> WinRMGrant:
    """Return the grant by which hosts of an environment are reached.

    Raises:
        NotGranted: there is no such grant, or it is not one for the environment.
    """
    grant = grants.winrm.get(name)
    if grant is None:
        raise NotGranted(f"there is no WinRM grant {name!r} on the server", hint=_write(grants, "winrm", name))
    if not covers(grant.environments, environment):
        raise NotGranted(
            f"the WinRM grant {name!r} is not granted to the environment {environment}",
            hint=f"name another grant in the host's file, or add {environment} to environments of "
            f"winrm.{name} in {grants.path}",
        )
    return grant


def channel_grant(grants: Grants, name: str) -> ChannelGrant:
    """Return the grant of a notification channel.

    Raises:
        NotGranted: there is no such grant.
    """
    grant = grants.notifications.get(name)
    if grant is None:
        hint = _write(grants, "notifications", name)
        raise NotGranted(f"there is no notification grant {name!r} on the server", hint=hint)
    return grant


def covers(patterns: Iterable[str], environment: str) -> bool:
    """Return whether an environment is meant by one of ``patterns``.

    ``*`` means all environments, ``acme/*`` those of the tenant acme, anything else the one of that name. What
    concerns no environment (an empty name) is covered by ``*`` alone.
    """
    tenant, within, _ = environment.rpartition("/")
    wanted = {EVERYWHERE, environment, f"{tenant}/*" if within else environment} - {""}
    return not wanted.isdisjoint(patterns)


def admitted(grant: WinRMGrant, host: str, found: Iterable[IPAddress], path: str) -> IPAddress:
    """Return the address to connect to: the first of a host's that lies in the grant's networks.

    Args:
        grant: the grant.
        host: the host as its file spells it, a name or an address.
        found: the addresses that it has.
        path: the file of the grants, for the hint.

    Raises:
        NotGranted: none of them is granted, or the name matches no pattern.
    """
    demand_name(grant, host, path)
    addresses = tuple(found)
    for address in addresses:
        if lies_in(grant.networks, address):
            return address
    listed = ", ".join(map(str, addresses))
    where = listed if listed == host else f"{host} ({listed})"
    raise NotGranted(
        f"{where} is outside the networks of the WinRM grant {grant.name!r}; nothing was sent there",
        hint=f"correct the host's address, or add its network to networks of winrm.{grant.name} in {path}",
    )


def demand_name(grant: WinRMGrant, host: str, path: str) -> None:
    """Check a host's name against the patterns of a grant, where it has any.

    Args:
        grant: the grant.
        host: the host as its file spells it, a name or an address.
        path: the file of the grants, for the hint.

    Raises:
        NotGranted: the name matches no pattern.
    """
    if grant.names and not any(_matches(pattern, host) for pattern in grant.names):
        raise NotGranted(
            f"{host} matches none of the names of the WinRM grant {grant.name!r}: {', '.join(grant.names)}",
            hint=f"correct the host's address, or add its name to names of winrm.{grant.name} in {path}",
        )


def lies_in(networks: Iterable[Network], address: IPAddress) -> bool:
    """Return whether an address lies in one of ``networks``.

    This machine itself, and what is reachable on its own link only, must be granted by a network of such
    addresses: ``0.0.0.0/0`` does not mean them.
    """
    for network in networks:
        if address.version == network.version and address in network:
            special = address.is_loopback or address.is_link_local or address.is_unspecified
            if not special or network.is_loopback or network.is_link_local or network.is_unspecified:
                return True
    return False


def _matches(pattern: str, host: str) -> bool:
    name = host.lower().rstrip(".")
    if pattern.startswith("*."):
        return name.endswith(pattern[1:].lower()) and len(name) > len(pattern) - 1
    return name == pattern.lower()


def _write(grants: Grants, section: str, name: str) -> str:
    known = sorted(grants.winrm if section == "winrm" else grants.notifications)
    if not grants.path:
        return (
            f"set RECONCILER_GRANTS to the path of a file on the server, and write {section}: {{{name}: …}} in it"
        )
    listed = f"; it has: {', '.join(known)}" if known else ""
    return f"write {section}: {{{name}: …}} in {grants.path}{listed}"
