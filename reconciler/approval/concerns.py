"""Tells what of a desired state concerns one environment, so that two states can be compared for it. Pure.

Not paths count, but what they come to: a catalog file concerns every environment that uses the release it changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.desired.catalog import Package
from reconciler.desired.model import DesiredState, Environment, Host, Wanted
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


class Concerns:
    """What concerns each environment of one desired state.

    Args:
        desired: the desired state.
        placed: the environment that each agent enrolled into, by host: a file can take a host away from it.
    """

    def __init__(self, desired: DesiredState, placed: Mapping[str, str]) -> None:
        self._desired = desired
        self._hosts: dict[str, list[Host]] = {}
        for host in desired.hosts.values():
            self._hosts.setdefault(host.environment, []).append(host)
        self._staying: dict[str, list[str]] = {}
        for name, into in sorted(placed.items()):
            if desired.environment_of(name, into) == into:
                self._staying.setdefault(into, []).append(name)

    def of(self, name: str) -> Concern:
        """Return what concerns an environment; `NOTHING` where it does not exist."""
        desired = self._desired
        environment = desired.environments.get(name)
        if environment is None:
            return NOTHING
        hosts = tuple(self._hosts.get(name, ()))
        versions = desired.versions_of(name)
        wished = _wished(versions, environment, hosts)
        packages = [desired.packages[package] for package in sorted(wished)]
        asked = (
            environment,
            dict(versions),
            hosts,
            tuple(self._staying.get(name, ())),
            tuple(_handled(package, wished[package.name]) for package in packages),
            desired.removal_share,
            _approving(desired, name),
        )
        # What was named once is taken away by what the catalog knows of it.
        catalog = desired.packages.values() if environment.prune else packages
        return Concern(asked, tuple((package.name, _practice(package), package.releases) for package in catalog))


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
