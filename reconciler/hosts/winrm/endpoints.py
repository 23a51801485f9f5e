"""Remembers which host is reached at which address and port, so that one machine is never worked on as two hosts.

Files are compared before they come into force; two names that lead to one address are only seen here.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from reconciler.desired.host_addresses import STANDARD_PORTS, IPAddress
from reconciler.kernel.errors import ReconcilerError

Endpoint = tuple[IPAddress, int]
"""An address and a port."""


class SharedEndpoint(ReconcilerError):
    """Two hosts lead to one machine."""

    reference = "shared-endpoint"


@dataclass(frozen=True, slots=True)
class _Claim:
    host: str
    since: float


class Endpoints:
    """The endpoints of the hosts of one daemon. May be used by several threads."""

    def __init__(self) -> None:
        self._claims: dict[Endpoint, _Claim] = {}
        self._dispossessed: dict[str, SharedEndpoint] = {}
        self._lock = threading.Lock()

    def claim(self, host: str, endpoint: Endpoint, since: float) -> None:
        """Let ``host`` be reached at ``endpoint``. Of two hosts, the one that is known longer has it.

        Args:
            host: the host's name.
            endpoint: where it is about to be reached. Both standard ports count as one.
            since: since when the host is known, in seconds since the epoch.

        Raises:
            SharedEndpoint: another host has it.
        """
        address, port = endpoint
        endpoint = address, STANDARD_PORTS[0] if port in STANDARD_PORTS else port
        with self._lock:
            holder = self._claims.get(endpoint)
            if holder is not None and holder.host != host:
                if (holder.since, holder.host) < (since, host):
                    raise _shared(host, holder.host, endpoint)
                self._dispossessed[holder.host] = _shared(holder.host, host, endpoint)
            self._claims[endpoint] = _Claim(host, since)

    def demand(self, host: str) -> None:
        """Check that no other host has taken the endpoint of ``host`` over.

        Raises:
            SharedEndpoint: one has. It is raised once; the next `claim` decides again.
        """
        with self._lock:
            taken = self._dispossessed.pop(host, None)
        if taken is not None:
            raise taken

    def release(self, host: str) -> None:
        """Let other hosts have the endpoints of ``host``."""
        with self._lock:
            for endpoint in [e for e, claim in self._claims.items() if claim.host == host]:
                del self._claims[endpoint]
            self._dispossessed.pop(host, None)


def _shared(host: str, other: str, endpoint: Endpoint) -> SharedEndpoint:
    address, port = endpoint
    return SharedEndpoint(
        f"its address leads to {address} port {port}, where {other} is reached already; nothing was sent there",
        where=host,
        hint="a machine is one host: delete one of the two files, or correct its address",
    )
