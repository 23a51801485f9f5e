"""The desired state at one commit: environments, hosts, and what each host is to have of each package.

Pure data, already validated. Knows nothing of files, git or YAML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from reconciler.desired.approvals import NO_APPROVALS, ApprovalPolicy, Person
from reconciler.desired.catalog import Package
from reconciler.desired.notifications import NO_NOTIFICATIONS, Notifications
from reconciler.kernel.assignment import Hold
from reconciler.kernel.releases import Release


class Absence(Enum):
    """The one thing that can stand in a version's place."""

    ABSENT = auto()


ABSENT: Final = Absence.ABSENT
"""Wanted where a package is to be removed. A package that is not named at all is left alone."""

ABSENT_TEXT: Final = "absent"
"""How a file says `ABSENT`."""

Wanted = str | Absence
"""A release's version, or `ABSENT`."""

Variant = tuple[tuple[int, ...], tuple[tuple[str, Wanted], ...]]
"""What sets a host apart from others of its environment: the overrides that reach it, and its own versions."""

UNCOMMITTED: Final = "uncommitted"
"""The revision of a desired state that was read from a folder rather than from a commit."""

REMOVAL_SHARE: Final = 0.25
"""The share of an environment's hosts that may lose a package at once without a confirmation, if none is set."""

HALT_AFTER: Final = 3
"""How many hosts of an environment fail alike at a release before the others do not begin it, if none is set."""

_PLAIN: Final[Variant] = ((), ())
_NO_LABELS: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Override:
    """Versions for those hosts of an environment that have all of ``labels``."""

    labels: Mapping[str, str]
    packages: Mapping[str, Wanted]

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether a host with ``labels`` is meant."""
        return all(labels.get(name) == value for name, value in self.labels.items())


@dataclass(frozen=True, slots=True)
class Environment:
    """A named set of hosts and the versions they are to have.

    ``name`` is its path (``prod``, ``acme/prod``). ``promotes_from`` names the environment from which versions
    are promoted to this one, ``inherits`` the one whose versions it starts from; both by their full names.
    ``packages`` is what its own file says; nothing but versions is inherited. ``prune`` removes from its hosts
    what it names no longer; ``confirm`` lists the packages whose removal from many hosts at once is meant. Once
    ``halt_after`` hosts have failed alike at a release, the others do not begin it. ``soak`` is how many seconds a
    release must have been healthy in ``promotes_from`` before it counts as verified there. ``approvals`` is what
    its own file says of them.
    """

    name: str
    promotes_from: str | None = None
    packages: Mapping[str, Wanted] = field(default_factory=dict)
    inherits: str | None = None
    overrides: tuple[Override, ...] = ()
    owners: tuple[str, ...] = ()
    prune: bool = False
    confirm: tuple[str, ...] = ()
    hold: Hold | None = None
    tenant: str | None = None
    halt_after: int = HALT_AFTER
    soak: float = 0.0
    approvals: ApprovalPolicy | None = None


@dataclass(frozen=True, slots=True)
class Host:
    """One machine that a file names. ``packages`` go before those of its environment.

    ``winrm`` names the server's grant by which it is reached, at ``address`` or else by its name; ``None`` where
    an agent keeps it.
    """

    name: str
    environment: str
    labels: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, Wanted] = field(default_factory=dict)
    hold: Hold | None = None
    address: str = ""
    winrm: str | None = None


@dataclass(frozen=True, slots=True)
class Tenant:
    """Somebody whose environments lie in a folder of their own, apart from those of others."""

    name: str
    title: str = ""
    owners: tuple[str, ...] = ()
    approvals: ApprovalPolicy | None = None


@dataclass(frozen=True, slots=True)
class DesiredState:
    """Everything that one commit says. ``revision`` is its full id, or `UNCOMMITTED`.

    Packages, environments, hosts, tenants and groups are in the order of their names. ``groups`` names the
    members of each group as a CODEOWNERS file takes them. A removal that more than ``removal_share`` (of 1) of
    an environment's hosts would see at once waits for a confirmation. ``notifications`` says who is told of what.
    ``people`` are those known by several names, ``approvals`` is the policy of environments for which none is said
    closer to them, and ``emergency`` the group whose members may do without; empty where nobody may.

    Some environments may lag behind, where what is newer is not approved for them: then ``sources`` has the state
    that each is taken from, and `of` gives it. ``variation`` tells a state that is made of parts of several
    commits from others of the same revision.
    """

    revision: str
    packages: Mapping[str, Package] = field(default_factory=dict)
    environments: Mapping[str, Environment] = field(default_factory=dict)
    hosts: Mapping[str, Host] = field(default_factory=dict)
    tenants: Mapping[str, Tenant] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    removal_share: float = REMOVAL_SHARE
    notifications: Notifications = NO_NOTIFICATIONS
    people: Mapping[str, Person] = field(default_factory=dict)
    approvals: ApprovalPolicy = NO_APPROVALS
    emergency: str = ""
    sources: Mapping[str, DesiredState] = field(default_factory=dict, repr=False)
    variation: str = ""
    _hosts_by_key: Mapping[str, Host] = field(init=False, repr=False, compare=False)
    _versions: Mapping[str, Mapping[str, Wanted]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        keyed = {host_key(name): host for name, host in self.hosts.items()}
        object.__setattr__(self, "_hosts_by_key", keyed)
        taken = {name: state.versions_of(name) for name, state in self.sources.items()}
        object.__setattr__(self, "_versions", taken or _with_inherited(self.environments))

    @property
    def mark(self) -> str:
        """Tells this state from others: its revision, and what each environment that lags behind is taken from."""
        behind = (
            f"+{name}@{state.revision}~{state.variation}"
            for name, state in self.sources.items()
            if state.revision != self.revision or state.variation
        )
        return self.revision + "".join(behind)

    def of(self, environment: str) -> DesiredState:
        """Return the state that an environment is taken from: this one, or an earlier one."""
        return self.sources.get(environment, self)

    def host(self, name: str) -> Host | None:
        """Return the host that a file names ``name``, in whatever case, or ``None``."""
        return self._hosts_by_key.get(host_key(name))

    def labels_of(self, host: str) -> Mapping[str, str]:
        """Return the labels of a host, named in any case; none for a host that no file names."""
        named = self.host(host)
        return named.labels if named is not None else _NO_LABELS

    def environment_of(self, host: str, enrolled_into: str | None = None) -> str | None:
        """Return the name of the environment that a host belongs to, or ``None`` where it belongs to none.

        A file that names the host decides; else the environment that its agent enrolled into, if there is one.

        Args:
            host: the host's name, in any case.
            enrolled_into: the environment that its agent enrolled into.
        """
        named = self.host(host)
        if named is not None:
            return named.environment
        return enrolled_into if enrolled_into in self.environments else None

    def hold_of(self, host: str, environment: str) -> Hold | None:
        """Return the hold on a host, its own or that of its environment, or ``None``.

        Of two the one that lasts longer counts: one that is over must not lift the other. Its own counts where
        both end alike.

        Args:
            host: the host's name, in any case.
            environment: the environment's name.

        Raises:
            KeyError: there is no such environment.
        """
        shared = self.environments[environment].hold
        named = self._named(host, environment)
        own = named.hold if named is not None else None
        if own is None or shared is None:
            return own or shared
        return shared if _end(shared) > _end(own) else own

    def approvals_for(self, environment: str) -> ApprovalPolicy:
        """Return what must be so before a commit counts for an environment: its own word, its tenant's, or all's.

        Args:
            environment: its name. One that does not exist yet has the policy that one there would have.
        """
        if environment in self.sources:
            return self.sources[environment].approvals_for(environment)
        there = self.environments.get(environment)
        tenant = self.tenants.get(environment.rpartition("/")[0])
        said = (there.approvals if there is not None else None, tenant.approvals if tenant is not None else None)
        return next((policy for policy in said if policy is not None), self.approvals)

    def versions_of(self, environment: str) -> Mapping[str, Wanted]:
        """Return the versions of an environment: those it inherits, then its own. Overrides are left out.

        Raises:
            KeyError: there is no such environment.
        """
        return self._versions[environment]

    def variant(self, environment: str, host: str) -> Variant:
        """Return what sets a host apart from others of its environment: equal variants want the same.

        Args:
            environment: the environment's name.
            host: the host's name, in any case.

        Raises:
            KeyError: there is no such environment.
        """
        overrides = self.environments[environment].overrides
        named = self._named(host, environment)
        if named is None or not (named.packages or overrides):
            return _PLAIN
        reached = tuple(index for index, item in enumerate(overrides) if item.matches(named.labels))
        return reached, tuple(named.packages.items())

    def wanted(self, environment: str, host: str | None = None) -> dict[str, Release | None]:
        """Return what a host should have, by package, in the environment's order and then its own.

        An environment's versions go before those it inherits, overrides for the host's labels before these, the
        later before the earlier, and the host's own before all.

        Args:
            environment: the environment's name.
            host: the host's name in any case; one that no file names takes the environment's versions, and so
                does one that a file puts into another environment.

        Returns:
            the release wanted of each package, ``None`` where the package should be absent.

        Raises:
            KeyError: there is no such environment.
        """
        versions = dict(self._versions[environment])
        named = self._named(host, environment) if host is not None else None
        if named is not None:
            for override in self.environments[environment].overrides:
                if override.matches(named.labels):
                    versions.update(override.packages)
            versions.update(named.packages)
        source = self.of(environment)
        return {package: source._release(package, version) for package, version in versions.items()}

    def _named(self, host: str, environment: str) -> Host | None:
        named = self.host(host)
        return named if named is not None and named.environment == environment else None

    def _release(self, package: str, version: Wanted) -> Release | None:
        if isinstance(version, Absence):
            return None
        release = self.packages[package].release(version)
        if release is None:
            raise KeyError(f"{package} {version}")
        return release


def host_key(name: str) -> str:
    """Return the form under which host names are compared: Windows takes no account of their case."""
    return name.casefold()


def _with_inherited(environments: Mapping[str, Environment]) -> dict[str, Mapping[str, Wanted]]:
    """Return the versions of each environment, after those of the environments that it inherits from."""
    known: dict[str, Mapping[str, Wanted]] = {}
    for start in environments:
        line: list[str] = []
        name: str | None = start
        while name is not None and name not in known:
            line.append(name)
            name = environments[name].inherits
        for heir in reversed(line):
            environment = environments[heir]
            inherited = known[environment.inherits] if environment.inherits is not None else {}
            known[heir] = {**inherited, **environment.packages} if inherited else environment.packages
    return known


def _end(hold: Hold) -> float:
    return hold.until if hold.until is not None else float("inf")
