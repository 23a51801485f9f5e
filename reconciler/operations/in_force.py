"""Puts together what is in force: each environment with the entries that are approved for it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cmp_to_key

from reconciler.approval.admission import Admission, KnownRelease, entries_in_force
from reconciler.approval.entries import Entries, EntryBook, Key, Selection, assemble, digest_of, rules_of
from reconciler.desired.catalog import Package
from reconciler.desired.combination import combine
from reconciler.desired.model import DesiredState, Host
from reconciler.desired.repository import GitRepository
from reconciler.operations.admitting import placements, valid_state
from reconciler.site import Site


class InForce:
    """What is in force for each environment. Loads a state at most once.

    Args:
        site: the installation.
        mirror: the mirror of the desired-state repository.
        known: states that are loaded already.
    """

    def __init__(self, site: Site, mirror: GitRepository, *known: DesiredState) -> None:
        self._site, self._mirror = site, mirror
        self._states = {state.revision: state for state in known}
        self._placed = placements(site)
        self._books: dict[int, EntryBook] = {}
        self.admissions = {name: record.admission for name, record in site.approvals.admissions().items()}

    def book(self, state: DesiredState) -> EntryBook:
        """Return the entries of a state."""
        book = self._books.get(id(state))
        if book is None:
            book = self._books[id(state)] = EntryBook(state, self._placed)
        return book

    def entries(self, environment: str) -> dict[Key, object]:
        """Return the entries of an environment that are in force; none where it does not exist.

        Raises:
            RepositoryError: the mirror lacks a commit that they are taken from.
            NoLongerValid: such a commit does not validate any more.
        """
        admission = self.admissions.get(environment)
        if admission is None:
            return {}
        return entries_in_force(admission, self.state, lambda state: self.book(state).of(environment))

    def combined(self, newest: DesiredState) -> DesiredState:
        """Return the desired state with every environment as it is in force.

        Raises:
            RepositoryError: the mirror lacks a commit that an environment is taken from.
            NoLongerValid: such a commit does not validate any more.
        """
        self._states[newest.revision] = newest
        behind: dict[str, DesiredState] = {}
        staying: dict[str, str] = {}
        for name, admission in self.admissions.items():
            entries = self.entries(name)
            follows = rules_of(entries).policy.demands_nothing and not admission.taken
            if follows and admission.commit == newest.revision:
                continue
            behind[name] = self._assembled(admission, entries, newest)
            if entries:
                staying |= {
                    host: into
                    for host, into in self._placed.items()
                    if into == name and ("enrolled host", host.upper()) not in entries
                }
        return combine(newest, behind, staying, self._rank())

    def state(self, commit: str) -> DesiredState:
        """Return the state at a commit that hosts are held to."""
        if commit not in self._states:
            self._states[commit] = valid_state(self._site, self._mirror, commit)
        return self._states[commit]

    def _assembled(self, admission: Admission, entries: Entries, newest: DesiredState) -> DesiredState:
        pieces = (taken.at for taken in admission.taken)
        revision = admission.commit
        for commit in pieces:
            if commit != revision and self._mirror.is_ancestor(revision, commit):
                revision = commit
        selected = {value.package.name for value in entries.values() if isinstance(value, Selection)}
        catalog = self._catalog(admission, newest, selected)
        state = assemble(admission.environment, entries, catalog, revision)
        return replace(state, variation=variation(admission))

    def _catalog(self, admission: Admission, newest: DesiredState, selected: set[str]) -> Mapping[str, Package]:
        """Return the packages that the hosts of an environment may know, each with the releases that they may."""
        found = dict(self.state(admission.catalog).packages) if admission.catalog else {}
        by_package: dict[str, list[KnownRelease]] = {}
        for known in admission.known:
            by_package.setdefault(known.package, []).append(known)
        for name, releases in by_package.items():
            there = {release.version: release for release in found[name].releases} if name in found else {}
            definition = found.get(name)
            for known in releases:
                at = self._package(newest, known) or self._package(self.state(known.at), known)
                release = at.release(known.version) if at is not None else None
                if at is not None and release is not None:
                    there[known.version] = release
                    # How a package is handled that nothing selects any more: as it was approved last.
                    definition = at if name in selected else self.state(known.at).packages[name]
            if definition is not None:
                found[name] = replace(definition, releases=tuple(there.values()))
        return found

    @staticmethod
    def _package(state: DesiredState, known: KnownRelease) -> Package | None:
        """Return the package where this state has the release just as it is known."""
        package = state.packages.get(known.package)
        release = package.release(known.version) if package is not None else None
        return package if release is not None and digest_of(release) == known.digest else None

    def _rank(self) -> Callable[[str, Host], int]:
        """Return how long ago an environment was given a host, by where on the branch that was approved."""
        claims: dict[str, dict[Key, str]] = {
            name: {taken.key: taken.at for taken in admission.taken} for name, admission in self.admissions.items()
        }

        def older_first(one: str, other: str) -> int:
            return 0 if one == other else -1 if self._mirror.is_ancestor(one, other) else 1

        commits = {
            commit for item in self.admissions.values() for commit in (item.commit, *(t.at for t in item.taken))
        }
        ranks: dict[str, int] = {}

        def rank(environment: str, host: Host) -> int:
            if not ranks:
                ordered = sorted(sorted(commits), key=cmp_to_key(older_first))
                ranks.update({commit: index for index, commit in enumerate(ordered)})
            at = claims[environment].get(("host", host.name), self.admissions[environment].commit)
            return ranks[at]

        return rank


def combined(site: Site, mirror: GitRepository, newest: DesiredState) -> DesiredState:
    """Return the desired state in which each environment is as far as it is approved.

    Args:
        site: the installation.
        mirror: the mirror of the desired-state repository.
        newest: the state at the newest commit that validates.

    Raises:
        RepositoryError: the mirror lacks a commit that an environment is taken from.
        NoLongerValid: such a commit does not validate any more.
    """
    return InForce(site, mirror, newest).combined(newest)


def variation(item: Admission) -> str:
    """Return a text that differs where other parts of commits are in force; empty where there are none."""
    parts = [f"{' '.join(taken.key)}@{taken.at}" for taken in item.taken]
    parts += [f"{known.package} {known.version} {known.digest}" for known in item.known]
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:12] if parts else ""


def mark_of(site: Site, in_force: str) -> str:
    """Return what tells the state in force from others: its commit, and how environments differ from it."""
    behind = (
        f"+{name}@{record.admission.commit}~{variation(record.admission)}"
        for name, record in sorted(site.approvals.admissions().items())
        if record.admission.commit != in_force or record.admission.taken
    )
    return in_force + "".join(behind)
