"""Checks what a desired state uses against the grants of the server. Pure: resolves no names, reads no secrets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.desired.findings import Location
from reconciler.desired.host_addresses import ip_of, split_address
from reconciler.desired.layout import HOSTS_FOLDER, SETTINGS_FILE
from reconciler.desired.model import DesiredState
from reconciler.desired.notifications import Channel, Subscription
from reconciler.grants.model import Grants, NotGranted, admitted, channel_grant, covers, demand_name, winrm_grant


@dataclass(frozen=True, slots=True)
class Refusal:
    """A use that the server does not grant. ``file`` is within the desired state, ``location`` within the file."""

    file: str
    location: Location
    message: str
    hint: str


def refused_hosts(desired: DesiredState, grants: Grants) -> Iterator[Refusal]:
    """Yield the hosts that the server may not reach. Of a host that is named, the address is checked at use."""
    for host in desired.hosts.values():
        if host.winrm is None:
            continue
        file = f"{host.environment}/{HOSTS_FOLDER}/{host.name}.yaml"
        location: Location = ("winrm", "grant")
        try:
            grant = winrm_grant(grants, host.winrm, host.environment)
            location = ("address",) if host.address else ()
            name = split_address(host.address or host.name)[1]
            demand_name(grant, name, grants.path)
            if (address := ip_of(name)) is not None:
                admitted(grant, name, (address,), grants.path)
        except NotGranted as error:
            yield Refusal(file, location, error.what, error.hint or "")


def refused_channels(desired: DesiredState, grants: Grants) -> Iterator[Refusal]:
    """Yield what the server does not let channels of notifications do."""
    for name, channel in desired.notifications.channels.items():
        location: Location = ("notifications", "channels", name)
        try:
            grant = channel_grant(grants, channel.grant)
        except NotGranted as error:
            yield Refusal(SETTINGS_FILE, (*location, "grant"), error.what, error.hint or "")
            continue
        entry = f"notifications.{grant.name} in {grants.path}"
        for index, domain in enumerate(channel.authors):
            if domain not in grant.authors:
                message = f"the channel {name} may not write to people at {domain}; they are sent nothing"
                hint = f"add {domain} to authors of {entry}, or take it out here"
                yield Refusal(SETTINGS_FILE, (*location, "authors", index), message, hint)
        for index, subscription in enumerate(desired.notifications.subscriptions):
            for environment in _beyond(subscription, channel, grant.environments):
                message = f"the channel {name} may not be told of {environment}; it is sent nothing of it"
                hint = f"add {environment} to environments of {entry}, or take it out here"
                yield Refusal(SETTINGS_FILE, ("notifications", "tell", index), message, hint)


def _beyond(subscription: Subscription, channel: Channel, granted: tuple[str, ...]) -> list[str]:
    if subscription.channel != channel.name:
        return []
    return [name for name in sorted(subscription.environments or ()) if not covers(granted, name)]
