"""Splits a desired state into the entries that concern one environment, and puts such entries together again.
Pure.

An approval covers entries: each is a key, such as ``package app``, and a value with everything that it brings to a
host. Paths play no part. A catalog file concerns every environment that selects a release of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Final, cast

from reconciler.desired.approvals import NO_APPROVALS, ApprovalPolicy, Person
from reconciler.desired.catalog import Package
from reconciler.desired.model import (
    HALT_AFTER,
    REMOVAL_SHARE,
    Absence,
    DesiredState,
    Environment,
    Host,
    Override,
    Wanted,
)
from reconciler.desired.people import fold, identities_of
from reconciler.kernel.assignment import Hold
from reconciler.kernel.releases import Release

Key = tuple[str, ...]
"""What an entry is about: ``("package", "app")``, ``("host", "PROD-01")``, ``("group", "managers")``."""

Entries = Mapping[Key, object]
"""The entries of one environment, in the order of its files."""


class Missing(Enum):
    """Stands for the value of an entry that is not there."""

    MISSING = auto()


MISSING: Final = Missing.MISSING
"""The value of an entry that was removed."""

ENVIRONMENT: Final[Key] = ("environment",)
POLICY: Final[Key] = ("policy",)
EMERGENCY: Final[Key] = ("emergency",)
ORDER: Final[Key] = ("override order",)
REMOVALS: Final[Key] = ("setting", "removals")
_MOST_NAMED = 10
_MOST_REMEMBERED = 100_000
_RULES: Final = ("policy", "emergency", "group", "person")


@dataclass(frozen=True, slots=True)
class Selection:
    """What is wanted of one package: the version, how the package is handled, and the release itself.

    ``package`` has no releases, titles or owners. ``others`` are the releases by which hosts recognise a package
    that is to be absent; a release that the catalog gains later makes no other selection.
    """

    wanted: Wanted
    package: Package
    release: Release | None
    others: tuple[Release, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Rules:
    """By what changes are judged for an environment: its policy, and the people and groups that it trusts."""

    policy: ApprovalPolicy = NO_APPROVALS
    people: Mapping[str, Person] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    emergency: str = ""


class _Memory:
    """Remembers values by what they were made of. Commits share most hosts and packages, so they share the values.

    Then two of them are compared by identity. What a value was made of is kept with it, so its id stays unique.
    """

    def __init__(self) -> None:
        self._hosts: dict[int, tuple[Host, Host]] = {}
        self._selections: dict[tuple[int, Wanted], tuple[Package, Selection]] = {}

    def member(self, host: Host) -> Host:
        """Return a host without its packages."""
        if not host.packages:
            return host
        known = self._hosts.get(id(host))
        if known is None:
            if len(self._hosts) >= _MOST_REMEMBERED:
                self._hosts.clear()
            known = self._hosts[id(host)] = (host, replace(host, packages={}))
        return known[1]

    def selection(self, package: Package, wanted: Wanted) -> Selection:
        """Return what is wanted of a package."""
        known = self._selections.get((id(package), wanted))
        if known is None:
            if len(self._selections) >= _MOST_REMEMBERED:
                self._selections.clear()
            bare = replace(package, releases=(), title="", owners=(), details={})
            absent = isinstance(wanted, Absence)
            release = package.release(wanted) if isinstance(wanted, str) else None
            made = Selection(wanted, bare, release, package.releases if absent else ())
            known = self._selections[id(package), wanted] = (package, made)
        return known[1]


_MEMORY = _Memory()


class EntryBook:
    """The entries of each environment of one desired state.

    Args:
        desired: the desired state.
        placed: the environment that each agent enrolled into, by host: a file can take a host away from it.
    """

    def __init__(self, desired: DesiredState, placed: Mapping[str, str]) -> None:
        self._desired = desired
        self._hosts: dict[str, list[Host]] = {}
        self._leaving: dict[str, list[Host]] = {}
        for host in desired.hosts.values():
            self._hosts.setdefault(host.environment, []).append(host)
        for host in desired.hosts.values() if placed else ():
            home = placed.get(host.name.upper())
            if home is not None and home != host.environment:
                self._leaving.setdefault(home, []).append(host)
        self._found: dict[str, Entries] = {}

    def of(self, name: str) -> Entries:
        """Return the entries of an environment; none where it does not exist."""
        if name not in self._found:
            found: dict[Key, object] = {}
            if name in self._desired.environments:
                found |= self._entries(name)
                # Most entries are these, so they are not passed on one by one.
                hosts = self._hosts.get(name, ())
                found |= {("host", host.name): _MEMORY.member(host) for host in hosts}
                found |= self._host_packages(hosts)
            self._found[name] = found
        return self._found[name]

    def _entries(self, name: str) -> Iterator[tuple[Key, object]]:
        desired = self._desired
        environment = desired.environments[name]
        yield ENVIRONMENT, True
        yield from _settings(environment)
        if desired.removal_share != REMOVAL_SHARE:
            yield REMOVALS, desired.removal_share
        for package, wanted in desired.versions_of(name).items():
            yield ("package", package), self._selection(package, wanted)
        for labels, packages in _overrides(environment).items():
            for package, wanted in packages.items():
                yield ("override", labels, package), self._selection(package, wanted)
        order = order_of_overrides(environment)
        if order:
            yield ORDER, order
        for host in self._leaving.get(name, ()):
            yield ("enrolled host", host.name.upper()), f"moves to {host.environment}"
        yield from _rules(desired, name)

    def _host_packages(self, hosts: Iterable[Host]) -> Iterator[tuple[Key, object]]:
        for host in hosts:
            for package, wanted in host.packages.items():
                yield ("host", host.name, package), self._selection(package, wanted)

    def _selection(self, name: str, wanted: Wanted) -> Selection:
        return _MEMORY.selection(self._desired.packages[name], wanted)


def differing(before: Entries, after: Entries) -> dict[Key, object]:
    """Return the entries of ``after`` that are new or have another value; `MISSING` where one is gone."""
    found: dict[Key, object] = {}
    for key, value in after.items():
        was = before.get(key, MISSING)
        if was is not value and was != value:
            found[key] = value
    found |= {key: MISSING for key in before if key not in after}
    return found


def rules_of(entries: Entries) -> Rules:
    """Return by what changes are judged where these entries are in force."""
    return Rules(
        cast(ApprovalPolicy, entries.get(POLICY, NO_APPROVALS)),
        {key[1]: cast(Person, value) for key, value in entries.items() if key[0] == "person"},
        {key[1]: cast("tuple[str, ...]", value) for key, value in entries.items() if key[0] == "group"},
        cast(str, entries.get(EMERGENCY, "")),
    )


def default_rules(desired: DesiredState, name: str) -> Rules:
    """Return by what changes are judged that make an environment which does not exist yet."""
    return Rules(desired.approvals_for(name), desired.people, desired.groups, desired.emergency)


def is_rule(key: Key) -> bool:
    """Return whether an entry says by what changes are judged."""
    return key[0] in _RULES


def text_of(key: Key) -> str:
    """Return what an entry is about, in words."""
    if len(key) == 3:
        return f"{key[0]} {key[1]} package {key[2]}"
    return " ".join(key)


def digest_of(value: object) -> str:
    """Return what tells a value's content: of dataclasses, texts and numbers, whose text is always the same."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:32]


def with_entries(force: Entries, part: Entries) -> dict[Key, object]:
    """Return what is in force once ``part`` is: added, changed and removed."""
    return {key: value for key, value in {**force, **part}.items() if value is not MISSING}


def named(keys: Sequence[Key]) -> str:
    """Return what entries are about, in a line."""
    named = [text_of(key) for key in keys[:_MOST_NAMED]]
    more = [f"{len(keys) - _MOST_NAMED} more"] if len(keys) > _MOST_NAMED else []
    return ", ".join((*named, *more))


def assemble(name: str, entries: Entries, catalog: Mapping[str, Package], revision: str) -> DesiredState:
    """Return the desired state of one environment that these entries come to.

    Args:
        name: the environment's.
        entries: its entries.
        catalog: the packages that its hosts may know besides, each with the releases that they may know.
        revision: what the state is to have as its revision.
    """
    rules = rules_of(entries)
    packages = dict(catalog)
    for selection in _selections(entries):
        there = packages.get(selection.package.name)
        releases = {release.version: release for release in there.releases} if there is not None else {}
        if selection.release is not None:
            releases[selection.release.version] = selection.release
        packages[selection.package.name] = replace(selection.package, releases=tuple(releases.values()))
    environments = {name: environment_from(name, entries, rules)} if ENVIRONMENT in entries else {}
    hosts = {value.name: value for value in entries.values() if isinstance(value, Host)}
    for host, wanted in _wanted(entries, "host").items():
        if host in hosts:
            hosts[host] = replace(hosts[host], packages=wanted)
    return DesiredState(
        revision,
        packages,
        environments,
        dict(sorted(hosts.items())),
        groups=rules.groups,
        removal_share=cast(float, entries.get(REMOVALS, REMOVAL_SHARE)),
        people=rules.people,
        emergency=rules.emergency,
    )


def order_of_overrides(environment: Environment) -> tuple[str, ...]:
    """Return the labels of overrides of which two may reach one host and name one package, in their order."""
    overrides = environment.overrides
    decided: set[str] = set()
    for index, one in enumerate(overrides):
        for other in overrides[index + 1 :]:
            together = all(other.labels.get(label, value) == value for label, value in one.labels.items())
            if together and one.labels != other.labels and not one.packages.keys().isdisjoint(other.packages):
                decided |= {_labels(one), _labels(other)}
    # Of the same labels twice, the last one decides.
    listed = dict.fromkeys(_labels(override) for override in reversed(overrides))
    return tuple(labels for labels in reversed(listed) if labels in decided)


def _settings(environment: Environment) -> Iterator[tuple[Key, object]]:
    """Yield the settings that are not the defaults."""
    yield from (
        (("setting", setting), value)
        for setting, value, default in (
            ("promotesFrom", environment.promotes_from, None),
            ("prune", environment.prune, False),
            ("confirm", environment.confirm, ()),
            ("hold", environment.hold, None),
            ("haltAfter", environment.halt_after, HALT_AFTER),
            ("soak", environment.soak, 0.0),
        )
        if value != default
    )


def environment_from(name: str, entries: Entries, rules: Rules) -> Environment:
    """Return the environment that these entries come to."""

    def setting(key: str, default: object) -> object:
        return entries.get(("setting", key), default)

    labels = _wanted(entries, "override")
    ordered = [*cast("tuple[str, ...]", entries.get(ORDER, ())), *labels]
    packages = {
        key[1]: value.wanted
        for key, value in entries.items()
        if key[0] == "package" and isinstance(value, Selection)
    }
    return Environment(
        name,
        cast("str | None", setting("promotesFrom", None)),
        packages,
        overrides=tuple(
            Override(_labels_of(label), labels[label]) for label in dict.fromkeys(ordered) if label in labels
        ),
        prune=cast(bool, setting("prune", default=False)),
        confirm=cast("tuple[str, ...]", setting("confirm", ())),
        hold=cast("Hold | None", setting("hold", None)),
        tenant=name.rpartition("/")[0] or None,
        halt_after=cast(int, setting("haltAfter", HALT_AFTER)),
        soak=cast(float, setting("soak", 0.0)),
        approvals=rules.policy,
    )


def _selections(entries: Entries) -> Iterator[Selection]:
    return (value for value in entries.values() if isinstance(value, Selection))


def _wanted(entries: Entries, kind: str) -> dict[str, dict[str, Wanted]]:
    """Return the versions of hosts, or of label overrides, by host or labels."""
    found: dict[str, dict[str, Wanted]] = {}
    for key, value in entries.items():
        if key[0] == kind and isinstance(value, Selection):
            found.setdefault(key[1], {})[key[2]] = value.wanted
    return found


def _overrides(environment: Environment) -> dict[str, dict[str, Wanted]]:
    """Return the versions of label overrides, by their labels; the later go before the earlier."""
    found: dict[str, dict[str, Wanted]] = {}
    for override in environment.overrides:
        found.setdefault(_labels(override), {}).update(override.packages)
    return found


def _labels(override: Override) -> str:
    return ",".join(f"{label}={value}" for label, value in sorted(override.labels.items()))


def _labels_of(text: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in text.split(",") if pair)
    return {label: value for label, _, value in pairs}


def _rules(desired: DesiredState, name: str) -> Iterator[tuple[Key, object]]:
    """Yield who may approve for an environment, and what they are known by; nothing where nobody needs to.

    Where every commit must be signed, everybody who is known can sign, so everybody counts. Else those count who
    are in a group that decides, and whoever shares a name or key with them.
    """
    policy = desired.approvals_for(name)
    if policy.demands_nothing:
        return
    yield POLICY, policy
    if desired.emergency:
        yield EMERGENCY, desired.emergency
    groups = dict.fromkeys((*policy.groups, *([desired.emergency] if desired.emergency else ())))
    for group in groups:
        if group in desired.groups:
            yield ("group", group), desired.groups[group]
    names = {fold(member) for group in groups for member in desired.groups.get(group, ())}
    people = {person: {fold(person.name), *identities_of(person)} for person in desired.people.values()}
    names |= {identity for known in people.values() if not names.isdisjoint(known) for identity in known}
    for person, known in people.items():
        if policy.signed or not names.isdisjoint(known):
            yield ("person", person.name), person
