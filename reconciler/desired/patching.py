"""Brings an earlier desired state up to date: reads only the files that differ from it.

Gives up, for all to be read, wherever it could not be sure to come to the very same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from reconciler.desired import reading
from reconciler.desired.catalog import Package
from reconciler.desired.catalog_rules import check_catalog
from reconciler.desired.collection import Manifests
from reconciler.desired.findings import Problem
from reconciler.desired.layout import CATALOG_FOLDER, SETTINGS_FILE, FileKind, Place, place_of
from reconciler.desired.model import Host
from reconciler.desired.reading import Reader
from reconciler.desired.repository import RepositoryError
from reconciler.desired.snapshots import Snapshot
from reconciler.desired.sources import CommitSource
from reconciler.desired.suggestions import Suggester
from reconciler.desired.trees import Change


@dataclass(frozen=True, slots=True)
class Work:
    """What was read, before it is checked as a whole.

    ``hosts`` are those whose versions are yet to be looked at, ``entries`` how many files there are (or more),
    ``changes`` how many differ from before. ``nothing`` says that there was nothing to read.
    """

    reader: Reader
    suggester: Suggester
    entries: int = 0
    changes: int = 0
    hosts: Iterable[Host] = ()
    nothing: bool = False
    before: Snapshot | None = None
    catalog_changed: bool = True
    changed_hosts: tuple[Host, ...] = ()
    hosts_moved: bool = True

    @property
    def known_packages(self) -> Mapping[str, Package] | None:
        """The packages, where they are as they were before."""
        return None if self.before is None or self.catalog_changed else self.before.state.packages

    def catalog_problems(self) -> tuple[Problem, ...]:
        """Return what is wrong within the catalog: what it was before, where the catalog is the same."""
        if self.before is None or self.catalog_changed:
            return tuple(check_catalog(self.reader.manifests.packages))
        return self.before.of_catalog

    def known_hosts(self) -> Mapping[str, Host] | None:
        """Return the hosts in their order, where no host's file came or went: then none is named twice either."""
        if self.before is None or self.hosts_moved:
            return None
        return {**self.before.state.hosts, **{host.name: host for host in self.changed_hosts}}


def read_changes(source: CommitSource, before: Snapshot, tree: str) -> Work | None:
    """Read what differs between a tree and an earlier one.

    Args:
        source: the commit.
        before: what the earlier tree came to.
        tree: the id of the commit's tree below the root.

    Returns:
        ``None`` where all is to be read: the earlier tree is gone, there is more than may be, or the tree is not
        as it should be.
    """
    try:
        changes = _listed(source, before, tree)
    except RepositoryError:
        return None
    if changes is None:
        return None
    manifests = before.manifests.copy()
    suggester = Suggester()
    reader = Reader(source, manifests, suggester, before.bytes)
    places = {change.path: place_of(parts) for change, parts in changes}
    kinds = set()
    for place in places.values():
        if isinstance(place, Place):
            manifests.drop(place)
            kinds.add(place.kind)
    for change, parts in changes:
        if change.entry is not None:
            reader.read(change.entry, parts)
    if reader.bytes > reading.MOST_BYTES_IN_ALL:
        return None
    spots = [place for place in places.values() if isinstance(place, Place) and place.kind is FileKind.HOST]
    then, now = (_hosts_at(spots, files) for files in (before.manifests, manifests))
    changed = tuple(host for host in now if host is not None)
    catalog_changed = FileKind.PACKAGE in kinds
    return Work(
        reader,
        suggester,
        before.entries + len(changes),
        len(changes),
        manifests.all_hosts() if catalog_changed else changed,
        before=before,
        catalog_changed=catalog_changed,
        changed_hosts=changed,
        hosts_moved=None in then or None in now,
    )


def _hosts_at(places: Iterable[Place], manifests: Manifests) -> list[Host | None]:
    """Return the hosts with valid files at these places, ``None`` where there is none."""
    return [manifests.hosts.get(place.environment, {}).get(place.name) for place in places]


def _listed(source: CommitSource, before: Snapshot, tree: str) -> list[tuple[Change, tuple[str, ...]]] | None:
    """Return the changes in the order of their paths, each with its path below the root."""
    found = source.changes(before.tree, tree)
    if found is None:
        return None
    start = len(source.root)
    last: dict[str, Change] = {}
    for change in found:
        if before.entries + len(last) >= reading.MOST_FILES:
            return None
        last[change.path] = change
    changes = [(change, tuple(path[start:].split("/"))) for path, change in sorted(last.items())]
    if source.shared:
        changes = [(change, parts) for change, parts in changes if place_of(parts) is not None]
        ours = {CATALOG_FOLDER, SETTINGS_FILE, *_tops(before)}
        if any(change.entry is None or parts[0] not in ours for change, parts in changes):
            return None
    return changes


def _tops(before: Snapshot) -> Iterator[str]:
    """Yield the folders at the top that belonged to the desired state before."""
    for name in (*before.state.environments, *before.state.tenants):
        yield name.partition("/")[0]
