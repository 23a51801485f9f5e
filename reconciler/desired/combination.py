"""Puts one desired state together where environments lag behind: each as it was approved for it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from reconciler.desired.model import DesiredState, Environment, Host, host_key

Rank = Callable[[str, Host], int]
"""Tells how long ago an environment was given a host: the lower, the earlier."""


def combine(
    newest: DesiredState, behind: Mapping[str, DesiredState], staying: Mapping[str, str], rank: Rank
) -> DesiredState:
    """Return ``newest``, but with some environments and their hosts as they are in force.

    No host goes over to another environment as long as the one that it leaves does not let it go. Groups, people
    and notifications are those of the newest.

    Args:
        newest: the newest state.
        behind: by environment, the state that it is taken from. One that this does not have does not exist.
        staying: agents' hosts that no file may take away, each with the environment that it stays in.
        rank: decides where two environments have a host that the newest state gives to neither.
    """
    if not behind:
        return newest
    sources = {name: newest for name in newest.environments if name not in behind}
    sources |= {name: state for name, state in behind.items() if name in state.environments}
    names = sorted(sources)
    environments = {name: _environment(sources[name].environments[name], sources, newest) for name in names}
    return replace(
        newest,
        environments=environments,
        hosts=_hosts(newest, behind, staying, rank),
        sources={name: sources[name] for name in names},
    )


def _environment(
    environment: Environment, sources: Mapping[str, DesiredState], newest: DesiredState
) -> Environment:
    """Return an environment without a ``promotesFrom`` that is not there, and with its newest owners."""
    there = newest.environments.get(environment.name)
    promotes_from = environment.promotes_from if environment.promotes_from in sources else None
    owners = there.owners if there is not None else environment.owners
    return replace(environment, promotes_from=promotes_from, owners=owners)


def _hosts(
    newest: DesiredState, behind: Mapping[str, DesiredState], staying: Mapping[str, str], rank: Rank
) -> Mapping[str, Host]:
    homes = {host_key(name): environment for name, environment in staying.items()}
    claims: dict[str, list[Host]] = {}
    for name, state in behind.items():
        for host in state.hosts.values():
            if host.environment == name:
                claims.setdefault(host_key(host.name), []).append(host)
    for host in newest.hosts.values():
        if host.environment not in behind:
            claims.setdefault(host_key(host.name), []).append(host)
    hosts = {}
    for key, claimed in claims.items():
        host = claimed[0] if len(claimed) == 1 else _first(claimed, newest.host(claimed[0].name), rank)
        if homes.get(key, host.environment) == host.environment:
            hosts[host.name] = host
    return dict(sorted(hosts.items()))


def _first(claimed: list[Host], wanted: Host | None, rank: Rank) -> Host:
    """Return the host as the environment has it that was given it first, and has not let it go."""

    def later(host: Host) -> tuple[bool, int, str]:
        is_wanted = wanted is not None and host.environment == wanted.environment
        return is_wanted, rank(host.environment, host), host.environment

    return min(claimed, key=later)
