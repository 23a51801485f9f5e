"""Puts one desired state together where environments lag behind: each as it was approved for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from reconciler.desired.model import DesiredState, Environment, Host, host_key


def combine(newest: DesiredState, behind: Mapping[str, DesiredState], placed: Mapping[str, str]) -> DesiredState:
    """Return ``newest``, but with some environments and their hosts as an earlier state has them.

    No host goes over to another environment as long as the one that it leaves does not let it go. Groups, people
    and notifications are those of the newest.

    Args:
        newest: the newest state.
        behind: by environment, the state that it is taken from; the oldest state first. One that this does not
            have does not exist yet.
        placed: the environment that each agent enrolled into, by host.
    """
    if not behind:
        return newest
    sources = {name: newest for name in newest.environments if name not in behind}
    sources |= {name: state for name, state in behind.items() if name in state.environments}
    names = sorted(sources)
    environments = {name: _environment(sources[name].environments[name], sources) for name in names}
    return replace(
        newest,
        environments=environments,
        hosts=_hosts(newest, behind, placed),
        sources={name: sources[name] for name in names},
    )


def _environment(environment: Environment, sources: Mapping[str, DesiredState]) -> Environment:
    """Return an environment that promotes from none that is not there."""
    if environment.promotes_from is None or environment.promotes_from in sources:
        return environment
    return replace(environment, promotes_from=None)


def _hosts(
    newest: DesiredState, behind: Mapping[str, DesiredState], placed: Mapping[str, str]
) -> Mapping[str, Host]:
    hosts: dict[str, Host] = {}
    taken: set[str] = set()
    for name, state in behind.items():
        for host in state.hosts.values():
            if host.environment == name and host_key(host.name) not in taken:
                taken.add(host_key(host.name))
                hosts[host.name] = host
        # An agent's host that no file named stays where it enrolled.
        taken.update(host_key(host) for host, into in placed.items() if state.environment_of(host, into) == name)
    hosts |= {
        host.name: host
        for host in newest.hosts.values()
        if host.environment not in behind and host_key(host.name) not in taken
    }
    return dict(sorted(hosts.items()))
