"""Plans a revision: how its wishes differ from another's, and what it would take on every host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pygit2

from reconciler.approval.effects import Effect, effects_of
from reconciler.approval.entries import EntryBook, Key, differing, rules_of
from reconciler.approval.needs import needs_of
from reconciler.desired.catalog import Package
from reconciler.desired.mirror import fetch
from reconciler.desired.model import DesiredState
from reconciler.desired.repository import GitRepository, RepositoryError
from reconciler.operations.admitting import placements
from reconciler.operations.desired import NothingInForce, load_valid, mirror_of, state_at
from reconciler.operations.fleet import known_hosts
from reconciler.operations.in_force import InForce
from reconciler.planning.changes import HostWishes, WishChange, compare
from reconciler.planning.comparison import Comparison, ReleaseNote
from reconciler.planning.plan import plan
from reconciler.site import Site


def plan_revision(site: Site, revision: str | None, base: str | None) -> Comparison:
    """Plan a revision by what the hosts last said. Changes nothing.

    Args:
        site: the installation.
        revision: a branch, tag or commit of the repository, fetched afresh; ``None`` for the one in force.
        base: what to compare it with; ``None`` for the one in force.

    Raises:
        NothingInForce: no revision was given, and none is in force.
        InvalidRevision: a revision does not validate.
        RepositoryError: there is no such revision.
    """
    mirror = mirror_of(site)
    if revision is not None or base is not None:
        fetch(mirror)
    in_force = site.revisions.in_force()
    wanted = mirror.resolve(revision) if revision is not None else in_force
    if wanted is None:
        raise NothingInForce(
            "no valid revision of the desired state was seen yet",
            where=str(site.settings.data),
            hint="name one with --revision, or start the daemon: reconciler daemon --repository …",
        )
    held_against = mirror.resolve(base) if base is not None else in_force
    desired = state_at(site, mirror, wanted)
    before = state_at(site, mirror, held_against) if held_against is not None else None
    return compare_states(site, before, desired)


def compare_states(
    site: Site, before: DesiredState | None, desired: DesiredState, branch: DesiredState | None = None
) -> Comparison:
    """Compare a desired state with another, and say what it would take on every host by what these reported last.

    Args:
        site: the installation.
        before: the state that is replaced, if there is one.
        desired: the new one.
        branch: the state of the branch that the new one is to be merged into. What waits there, waits after that.
    """
    enrolled = placements(site)
    return Comparison(
        base=before.revision if before is not None else None,
        revision=desired.revision,
        changes=(changes := wish_changes(before, desired, enrolled)),
        notes=release_notes(desired, changes),
        plan=plan(desired.revision, known_hosts(site, desired), site.clock(), site.settings.silent_seconds),
        needs=needs_of(before, desired, enrolled) if before is not None else (),
        effects=_effects(site, desired, branch, enrolled),
    )


def _effects(
    site: Site, desired: DesiredState, branch: DesiredState | None, enrolled: Mapping[str, str]
) -> tuple[Effect, ...]:
    """Return the entries of every environment that are not as they are in force."""
    in_force = InForce(site, mirror_of(site))
    after, there = EntryBook(desired, enrolled), EntryBook(branch, enrolled) if branch is not None else None
    found: list[Effect] = []
    for name in sorted({*desired.environments, *in_force.admissions}):
        force = in_force.entries(name)
        waiting: Iterable[Key] = ()
        if there is not None and not rules_of(force).policy.demands_nothing:
            moved = differing(there.of(name), after.of(name))
            waiting = [key for key in differing(force, after.of(name)) if key not in moved]
        found += effects_of(name, force, after.of(name), waiting)
    return tuple(found)


def plan_from_repository(folder: Path, root: str, revision: str, base: str | None) -> Comparison:
    """Compare two revisions of a repository by what they say, where there is no installation to ask.

    Args:
        folder: the repository, or a folder within its working tree.
        root: the folder of the desired state within it.
        revision: a branch, tag or commit.
        base: what to compare it with; ``None`` for the commit before.

    Raises:
        InvalidRevision: a revision does not validate.
        RepositoryError: there is no repository there, or no such revision in it.
    """
    found = pygit2.discover_repository(str(folder.resolve()))
    if found is None:
        raise RepositoryError(
            "this is in no git repository",
            where=str(folder),
            hint="name one with --repository, or an installation with --data",
        )
    repository = GitRepository(Path(found))
    commit = repository.resolve(revision)
    parents = repository.commit(commit).parents
    held_against = repository.resolve(base) if base is not None else next(iter(parents), None)
    before = load_valid(repository, held_against, root) if held_against is not None else None
    after = load_valid(repository, commit, root)
    changes = wish_changes(before, after, {})
    if before is None:
        return Comparison(held_against, commit, changes, None, release_notes(after, changes))
    was, becomes = EntryBook(before, {}), EntryBook(after, {})
    names = sorted({*before.environments, *after.environments})
    effects = tuple(effect for name in names for effect in effects_of(name, was.of(name), becomes.of(name)))
    needs = needs_of(before, after, {})
    return Comparison(held_against, commit, changes, None, release_notes(after, changes), needs, effects)


def wish_changes(
    before: DesiredState | None, after: DesiredState, enrolled: Mapping[str, str]
) -> tuple[WishChange, ...]:
    """Return how the wishes of two desired states differ.

    Args:
        before: the one that is replaced, if there is one.
        after: the new one.
        enrolled: the environment that each enrolled host enrolled into.
    """
    return compare(_wishes(before, enrolled) if before is not None else (), _wishes(after, enrolled))


def release_notes(desired: DesiredState, changes: Iterable[WishChange]) -> tuple[ReleaseNote, ...]:
    """Return what the catalog says of every release that a change brings in or passes over, newest first."""
    spans: dict[str, set[str]] = {}
    for change in changes:
        package = desired.packages.get(change.package)
        if package is not None and change.after is not None:
            spans.setdefault(change.package, set()).update(_between(package, change.before, change.after))
    return tuple(
        ReleaseNote(name, release.version, details.issue or None, details.notes or None)
        for name, versions in sorted(spans.items())
        for release in sorted(desired.packages[name].releases, key=lambda found: found.order, reverse=True)
        if release.version in versions
        and ((details := desired.packages[name].details_of(release.version)).issue or details.notes)
    )


def _between(package: Package, before: str | None, after: str) -> Iterable[str]:
    """Return the versions from the one after ``before`` up to ``after``; for a way down, those that are left."""
    orders = {release.version: release.order for release in package.releases}
    low, high = sorted((orders.get(before or after, ()), orders[after]))
    for release in package.releases:
        if release.version == after or low < release.order <= high:
            yield release.version


def _wishes(desired: DesiredState, enrolled: Mapping[str, str]) -> Iterable[HostWishes]:
    """Return what every host should have, and each environment on the whole."""
    practices = {
        home: {name: package.practice for name, package in desired.of(home).packages.items()}
        for home in desired.environments
    }
    for environment in desired.environments.values():
        wanted = desired.wanted(environment.name)
        yield HostWishes("", environment.name, wanted, environment.prune, practices[environment.name])
    names = {name.upper() for name in desired.hosts} | enrolled.keys()
    for name in names:
        home = desired.environment_of(name, enrolled.get(name))
        if home is not None:
            prunes = desired.environments[home].prune
            yield HostWishes(name, home, desired.wanted(home, name), prunes, practices[home])
