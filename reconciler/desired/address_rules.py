"""Checks that no two hosts that the server reaches have the same address and port. Pure: resolves no names."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.desired.collection import Manifests
from reconciler.desired.findings import Location, Problem, Rule
from reconciler.desired.host_addresses import endpoint_key
from reconciler.desired.model import Host


def check_addresses(manifests: Manifests) -> Iterator[Problem]:
    """Yield the hosts that are reached where another one is reached: one machine would be worked on as two."""
    reached = {manifests.path_of(host): host for host in manifests.all_hosts() if host.winrm is not None}
    first: dict[tuple[str, int], tuple[str, Host]] = {}
    for path, host in sorted(reached.items()):
        other_path, other = first.setdefault(endpoint_key(host.address or host.name), (path, host))
        if other is not host:
            message = f"{host.name} has the same address and port as {other.name} ({other_path})"
            location: Location = ("address",) if host.address else ()
            hint = "a machine is one host: delete one of the two files, or correct its address"
            yield Problem(path, Rule.DUPLICATE_ADDRESS, message, hint, location)
