"""Lets each environment follow the branch as far as it is approved, and keeps on record by whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pygit2

from reconciler.approval.admission import Admission, AdmissionState, Decision, Line, admit
from reconciler.approval.entries import EntryBook, default_rules
from reconciler.approval.forge import Reviews
from reconciler.desired.loading import load
from reconciler.desired.model import DesiredState
from reconciler.desired.repository import GitRepository, RepositoryError
from reconciler.operations.judging import MERGED_REFS, Bench
from reconciler.site import Site

APPROVED_REFS = "refs/reconciler/approved/"
"""The refs in the mirror that keep what environments are taken from, whatever is force-pushed."""

KEPT_REFS = "refs/reconciler/kept/"
"""The refs in the mirror that keep the other commits that an entry in force is taken from."""


class NoLongerValid(RepositoryError):
    """A commit that hosts are held to, and that this version of Reconciler does not take."""

    reference = "no-longer-valid"


class Admitter:
    """Goes along the branch for every environment.

    Args:
        site: the installation.
        mirror: the mirror of the desired-state repository.
        reviews: where it is known how commits came onto the branch.
    """

    def __init__(self, site: Site, mirror: GitRepository, reviews: Reviews) -> None:
        self._site = site
        self._mirror = mirror
        self._reviews = reviews

    def look(self, newest: str) -> tuple[Admission, ...]:
        """Go as far as is approved, and keep that on record. Running it again changes nothing.

        Args:
            newest: the commit in force: the newest one that validates.

        Returns:
            the admissions that changed.

        Raises:
            RepositoryError: the mirror lacks a commit that it should have.
            NoLongerValid: a commit that an environment is taken from does not validate any more.
        """
        records = self._site.approvals.admissions()
        known = {name: record.admission for name, record in records.items()}
        up_to = self._site.approvals.up_to()
        if up_to is None:
            state = valid_state(self._site, self._mirror, newest)
            found = [Admission(name, newest, newest, catalog=newest) for name in state.environments]
            return self._record(found, (), newest)
        waiting = any(item.state is not AdmissionState.APPROVED for item in known.values())
        if up_to == newest and not waiting:
            return ()
        walk = _Walk(self._site, self._mirror, self._reviews, newest)
        names = known.keys() | walk.state_of(newest).environments.keys() | walk.state_of(up_to).environments.keys()
        admitted: list[Admission] = []
        decided: list[Decision] = []
        for name in sorted(names):
            start = known.get(name) or Admission(name, up_to, up_to)
            for commit in commits_of(start):
                walk.state_of(commit)
            item, decisions = walk.go(start, up_to)
            decided += decisions
            there = item.taken or name in walk.state_of(item.commit).environments
            if there or item.state is not AdmissionState.APPROVED:
                admitted.append(item)
        return self._record(admitted, decided, newest)

    def _record(self, found: list[Admission], decided: Iterable[Decision], newest: str) -> tuple[Admission, ...]:
        references = self._mirror.handle().references
        kept = {commit for item in found for commit in commits_of(item)}
        for item in found:
            references.create(APPROVED_REFS + item.environment, pygit2.Oid(hex=item.commit), force=True)
        for commit in kept:
            references.create(KEPT_REFS + commit, pygit2.Oid(hex=commit), force=True)
        told = self._site.approvals.record(found, decided, newest, self._site.clock())
        waiting = any(item.state is not AdmissionState.APPROVED for item in found)
        for name in list(references):  # only once it is on record that nothing is taken from them
            unused = name.startswith(KEPT_REFS) and name.removeprefix(KEPT_REFS) not in kept
            if unused or (name.startswith(MERGED_REFS) and not waiting):
                references.delete(name)
        return told


def commits_of(item: Admission) -> tuple[str, ...]:
    """Return the commits that what is in force for an environment is taken from."""
    others = (*(taken.at for taken in item.taken), *(known.at for known in item.known))
    return tuple(dict.fromkeys(commit for commit in (item.commit, item.catalog, item.floor, *others) if commit))


def placements(site: Site) -> Mapping[str, str]:
    """Return the environment that each agent enrolled into, by host."""
    return {host.name: host.environment for host in site.hosts.outlines() if host.environment}


def load_state(site: Site, mirror: GitRepository, commit: str) -> DesiredState | None:
    """Return the desired state at a commit, as it stands there; ``None`` where it does not validate."""
    return load(mirror, commit, site.settings.root, site.loads).state


def valid_state(site: Site, mirror: GitRepository, commit: str) -> DesiredState:
    """Return the desired state at a commit that hosts are or were held to.

    Raises:
        NoLongerValid: it does not validate any more.
        RepositoryError: the mirror lacks it.
    """
    state = load_state(site, mirror, commit)
    if state is None:
        raise NoLongerValid(
            f"commit {commit[:10]}, which hosts are held to, no longer validates",
            hint="run the version of Reconciler from before, and have a commit approved that validates by both",
        )
    return state


class _Walk:
    """One look along the branch. Remembers states: many environments pass the same commits."""

    def __init__(self, site: Site, mirror: GitRepository, reviews: Reviews, newest: str) -> None:
        self._site, self._mirror, self._newest = site, mirror, newest
        self._placed = placements(site)
        self._states: dict[str, DesiredState | None] = {}
        self._books: dict[int, EntryBook] = {}
        self._lines: dict[str, tuple[tuple[str, ...], bool]] = {}
        self._bench = Bench(site, mirror, reviews, self._state, self._book)

    def go(self, start: Admission, up_to: str) -> tuple[Admission, tuple[Decision, ...]]:
        commits, rewritten = self._line(start.begin)
        name = start.environment
        line = Line(
            commits,
            self._state,
            lambda state: self._book(state).of(name),
            default_rules(self.state_of(up_to), name),
            rewritten,
        )
        return admit(start, line, self._bench)

    def state_of(self, commit: str) -> DesiredState:
        """Return the state at a commit that hosts are or were held to.

        Raises:
            NoLongerValid: it does not validate any more.
        """
        if self._states.get(commit) is None:
            self._states[commit] = valid_state(self._site, self._mirror, commit)
        state = self._states[commit]
        assert state is not None
        return state

    def _state(self, commit: str) -> DesiredState | None:
        if commit not in self._states:
            self._states[commit] = load_state(self._site, self._mirror, commit)
        return self._states[commit]

    def _book(self, state: DesiredState) -> EntryBook:
        book = self._books.get(id(state))
        if book is None:
            book = self._books[id(state)] = EntryBook(state, self._placed)
        return book

    def _line(self, begin: str) -> tuple[tuple[str, ...], bool]:
        if begin not in self._lines:
            self._lines[begin] = _line(self._mirror, begin, self._newest)
        return self._lines[begin]


def _line(mirror: GitRepository, begin: str, newest: str) -> tuple[tuple[str, ...], bool]:
    """Return the commits after ``begin`` up to ``newest``, and whether the branch was rewritten in between."""
    straight = mirror.first_parents(newest, begin)
    if straight is not None:
        return straight, False
    shared = mirror.newest_shared(newest, begin)
    if shared is None:
        return (newest,), True
    return (shared, *(mirror.first_parents(newest, shared) or ())), True
