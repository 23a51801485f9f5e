"""Tells what of a desired state concerns one environment, so that two states can be compared for it. Pure.

Not paths count, but what they come to: a catalog file concerns every environment that uses the release it changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.desired.model import DesiredState, Environment, Host, Package, Wanted
from reconciler.desired.people import fold
from reconciler.kernel.releases import Release

_Known = tuple[str, tuple[object, ...], tuple[Release, ...]]


@dataclass(frozen=True, slots=True)
class Concern:
    """What concerns an environment.

    ``asked`` is what is asked of its hosts, and who may approve that: a commit that changes it must be approved.
    ``known`` is what the catalog knows besides of the packages in question. It decides by what a host's products
    are told, so it stays as it was approved; that it grows is no reason to ask for an approval.
    """

    asked: tuple[object, ...] | None
    known: tuple[_Known, ...] = ()


NOTHING = Concern(None)
"""What concerns an environment that does not exist."""


def concern_of(desired: DesiredState, name: str, placed: Mapping[str, str]) -> Concern:
    """Return what concerns an environment.

    Args:
        desired: the desired state.
        name: the environment's name.
        placed: the environment that each agent enrolled into, by host: a file can take a host away from it.
    """
    environment = desired.environments.get(name)
    if environment is None:
        return NOTHING
    hosts = tuple(host for host in desired.hosts.values() if host.environment == name)
    staying = tuple(
        sorted(
            host for host, into in placed.items() if into == name and desired.environment_of(host, into) == name
        )
    )
    versions = desired.versions_of(name)
    wished = _wished(versions, environment, hosts)
    packages = [desired.packages[package] for package in sorted(wished)]
    handled = tuple(_handled(package, wished[package.name]) for package in packages)
    asked = (
        environment,
        dict(versions),
        hosts,
        staying,
        handled,
        desired.removal_share,
        _approving(desired, name),
    )
    # What was named once is taken away by what the catalog knows of it.
    catalog = desired.packages.values() if environment.prune else packages
    known = tuple((package.name, _practice(package), package.releases) for package in catalog)
    return Concern(asked, known)


def _wished(
    versions: Mapping[str, Wanted], environment: Environment, hosts: tuple[Host, ...]
) -> dict[str, set[Wanted]]:
    wished: dict[str, set[Wanted]] = {}
    sources = (
        versions,
        *(override.packages for override in environment.overrides),
        *(host.packages for host in hosts if host.packages),
    )
    for source in sources:
        for package, version in source.items():
            wished.setdefault(package, set()).add(version)
    return wished


def _handled(package: Package, versions: set[Wanted]) -> tuple[object, ...]:
    releases = tuple(release for release in package.releases if release.version in versions)
    return package.name, _practice(package), releases


def _practice(package: Package) -> tuple[object, ...]:
    return package.kind, package.upgrade_code, package.practice, package.detect


def _approving(desired: DesiredState, name: str) -> tuple[object, ...]:
    """Return who may approve for an environment, and what they are known by."""
    policy = desired.approvals_for(name)
    groups = (*policy.groups, *([desired.emergency] if desired.emergency else ()))
    members = {fold(member) for group in groups for member in desired.groups.get(group, ())}
    people = tuple(
        person for person in desired.people.values() if not members.isdisjoint(map(fold, person.known_as))
    )
    listed = tuple((group, desired.groups.get(group, ())) for group in groups)
    return policy, desired.emergency, listed, people
