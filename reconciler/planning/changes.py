"""Says how two desired states differ in what hosts should have: additions, changes, removals and omissions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.kernel.practice import Practice
from reconciler.kernel.releases import MsiRelease, PatchRelease, ProgramRelease, Release

Wishes = Mapping[str, Release | None]
"""What is wanted of each package; ``None`` where it should be absent."""


class ChangeKind(StrEnum):
    """What becomes of a wish."""

    ADDED = "added"
    UPGRADED = "upgraded"
    DOWNGRADED = "downgraded"
    REBUILT = "rebuilt"
    ADJUSTED = "adjusted"
    REMOVED = "removed"
    DROPPED = "dropped"
    PRUNED = "pruned"


@dataclass(frozen=True, slots=True)
class HostWishes:
    """What a host should have, in one state or the other. An empty ``host`` stands for the environment itself.

    ``prunes`` says that a package which is named no longer is removed rather than left alone. ``practices`` say
    how packages want to be handled, whether or not they are wanted.
    """

    host: str
    environment: str
    wishes: Wishes
    prunes: bool = False
    practices: Mapping[str, Practice] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WishChange:
    """The same change of a wish on some hosts of an environment.

    ``before`` and ``after`` are versions, ``None`` for absent or not named. ``hosts`` is empty where the
    environment has none that it concerns.
    """

    environment: str
    package: str
    kind: ChangeKind
    before: str | None
    after: str | None
    hosts: tuple[str, ...]


def compare(before: Iterable[HostWishes], after: Iterable[HostWishes]) -> tuple[WishChange, ...]:
    """Compare what hosts should have before and after.

    A host that is in one of the two only, or moves to another environment, is compared with nothing wanted.

    Args:
        before: the hosts, and each environment itself, in the state that is replaced.
        after: the same in the new state.

    Returns:
        the changes by environment and package, alike ones of several hosts together.
    """
    after = tuple(after)
    old = {(item.environment, item.host): item for item in before}
    new = {(item.environment, item.host): item for item in after}
    groups: dict[tuple[str, str, ChangeKind, str, str], list[str]] = {}
    for key in old.keys() | new.keys():
        environment, host = key
        nothing = HostWishes(host, environment, {})
        one, other = old.get(key, nothing), new.get(key, nothing)
        was, will = one.wishes, other.wishes
        for package in was.keys() | will.keys():
            kind = _kind(one, other, package)
            if kind is None:
                continue
            versions = _version(was.get(package)) or "", _version(will.get(package)) or ""
            groups.setdefault((environment, package, kind, *versions), []).append(host)
    return tuple(
        WishChange(environment, package, kind, was or None, will or None, tuple(sorted(filter(None, hosts))))
        for (environment, package, kind, was, will), hosts in sorted(groups.items())
    )


def _kind(before: HostWishes, after: HostWishes, package: str) -> ChangeKind | None:
    was, will = before.wishes, after.wishes
    if package not in will:
        return ChangeKind.PRUNED if after.prunes else ChangeKind.DROPPED
    old, new = was.get(package), will[package]
    if package in was and old == new:
        # What is run on hosts around a step, and what they are checked by, is a reviewer's to see.
        same = before.practices.get(package) == after.practices.get(package)
        return None if same or new is None else ChangeKind.ADJUSTED
    if new is None:
        return ChangeKind.REMOVED
    if old is None:
        return ChangeKind.ADDED
    if old.version == new.version:
        return ChangeKind.REBUILT if _content(old) != _content(new) else ChangeKind.ADJUSTED
    return ChangeKind.DOWNGRADED if new.order < old.order else ChangeKind.UPGRADED


def _content(release: Release) -> object:
    """Return what a host is told apart by that has the release: with another one it has something to do."""
    if isinstance(release, MsiRelease):
        return release.product_code, release.package_code
    if isinstance(release, PatchRelease):
        return release.patch_code
    return release.version if isinstance(release, ProgramRelease) else release.settings


def _version(release: Release | None) -> str | None:
    return release.version if release is not None else None
