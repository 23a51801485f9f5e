"""Lets each environment follow the branch as far as it is approved, and keeps on record by whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cmp_to_key

import pygit2

from reconciler.approval.admission import Admission, AdmissionState, Decision, Line, admit
from reconciler.approval.concerns import Concern, Concerns
from reconciler.approval.evidence import Change
from reconciler.approval.forge import ForgeUnavailable, Reviews
from reconciler.approval.git_evidence import evidence_of
from reconciler.approval.policy import Judgement, judge
from reconciler.desired.combination import combine
from reconciler.desired.loading import load
from reconciler.desired.model import DesiredState
from reconciler.desired.people import People
from reconciler.desired.public_keys import PGP_BEGIN
from reconciler.desired.repository import GitRepository, RepositoryError
from reconciler.site import Site

APPROVED_REFS = "refs/reconciler/approved/"
"""The refs in the mirror that keep what environments are taken from, whatever is force-pushed."""

ASK_AGAIN_SECONDS = 30.0
"""Seconds before the forge is asked once more about a commit that it was not enough for."""


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
            the admissions that stand otherwise than before.

        Raises:
            RepositoryError: the mirror lacks a commit that it should have.
            NoLongerValid: a commit that an environment is taken from does not validate any more.
        """
        records = self._site.approvals.admissions()
        known = {name: record.admission for name, record in records.items()}
        up_to = self._site.approvals.up_to()
        if up_to is None:
            state = _valid(load_state(self._site, self._mirror, newest), newest)
            found = [Admission(name, newest, newest) for name in state.environments]
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
            walk.state_of(start.commit)
            item, decisions = walk.go(start)
            decided += decisions
            if name in walk.state_of(item.commit).environments or item.state is not AdmissionState.APPROVED:
                admitted.append(item)
        return self._record(admitted, decided, newest)

    def _record(self, found: list[Admission], decided: Iterable[Decision], newest: str) -> tuple[Admission, ...]:
        handle = self._mirror.handle()
        for item in found:
            handle.references.create(APPROVED_REFS + item.environment, pygit2.Oid(hex=item.commit), force=True)
        return self._site.approvals.record(found, decided, newest, self._site.clock())


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
    behind = {
        name: record.admission.commit
        for name, record in site.approvals.admissions().items()
        if record.admission.commit != newest.revision
    }
    if not behind:
        return newest
    # Never without the one that is missing: its hosts would be given what nobody approved.
    states = {commit: _valid(load_state(site, mirror, commit), commit) for commit in set(behind.values())}

    def older_first(one: str, other: str) -> int:
        return 0 if one == other else -1 if mirror.is_ancestor(one, other) else 1

    order = sorted(behind, key=lambda name: (cmp_to_key(older_first)(behind[name]), name))
    return combine(newest, {name: states[behind[name]] for name in order}, placements(site))


def mark_of(site: Site, in_force: str) -> str:
    """Return what tells the state in force from others: its commit, and those of environments that are behind."""
    behind = (
        f"+{name}@{record.admission.commit}"
        for name, record in sorted(site.approvals.admissions().items())
        if record.admission.commit != in_force
    )
    return in_force + "".join(behind)


def placements(site: Site) -> Mapping[str, str]:
    """Return the environment that each agent enrolled into, by host."""
    return {host.name: host.environment for host in site.hosts.outlines() if host.environment}


def load_state(site: Site, mirror: GitRepository, commit: str) -> DesiredState | None:
    """Return the desired state at a commit, as it stands there; ``None`` where it does not validate."""
    return load(mirror, commit, site.settings.root, site.loads).state


def _valid(state: DesiredState | None, commit: str) -> DesiredState:
    if state is None:
        raise NoLongerValid(
            f"commit {commit[:10]}, which hosts are held to, does not validate any more",
            hint="run the version of Reconciler from before, and have a commit approved that validates by both",
        )
    return state


class _Walk:
    """One look along the branch. Remembers states: many environments pass the same commits."""

    def __init__(self, site: Site, mirror: GitRepository, reviews: Reviews, newest: str) -> None:
        self._site, self._mirror, self._reviews, self._newest = site, mirror, reviews, newest
        self._placed = placements(site)
        self._states: dict[str, DesiredState | None] = {}
        self._concerns: dict[int, Concerns] = {}
        self._lines: dict[str, tuple[tuple[str, ...], bool]] = {}

    def go(self, start: Admission) -> tuple[Admission, tuple[Decision, ...]]:
        begin = start.examined if start.state is AdmissionState.APPROVED else start.commit
        commits, rewritten = self._line(begin)
        return admit(start, Line(commits, self._state, self._concern, rewritten), self)

    def state_of(self, commit: str) -> DesiredState:
        """Return the state at a commit that hosts are or were held to.

        Raises:
            NoLongerValid: it does not validate any more.
        """
        return _valid(self._state(commit), commit)

    def judge(self, commit: str, environment: str, approved: DesiredState) -> Decision:
        """Judge a commit, asking the forge how it came in where that has not been told, or was not enough."""
        try:
            change = self._change(commit)
        except ForgeUnavailable as error:
            reason = f"who approved it cannot be told now: {error.what}"
            return Decision(environment, commit, Judgement(approved=False, reasons=(reason,)), known=False)
        try:
            judged = self._judged(commit, environment, approved, change)
        except RepositoryError as error:
            judged = Judgement(approved=False, reasons=(f"it cannot be judged: {error.what}",))
        return Decision(environment, commit, judged)

    def emergency(self, commit: str, environment: str, approved: DesiredState) -> Decision | None:
        """Judge a commit by what it claims itself; no forge is needed for that."""
        try:
            judged = self._judged(commit, environment, approved, None)
        except RepositoryError:
            return None
        return Decision(environment, commit, judged) if judged.approved and judged.emergency else None

    def _judged(self, commit: str, environment: str, approved: DesiredState, change: Change | None) -> Judgement:
        keys = pgp_keys(approved)
        evidence = evidence_of(self._mirror, commit, change, keys)
        people = People(approved.people, approved.groups)
        return judge(approved.approvals_for(environment), people, approved.emergency, evidence)

    def _change(self, commit: str) -> Change | None:
        store, now = self._site.approvals, self._site.clock()
        known = store.reviewed(commit)
        if known is not None and now - known.at < ASK_AGAIN_SECONDS:
            return known.change
        try:
            change = self._reviews.merged_change(commit)
        except ForgeUnavailable:
            if known is not None:
                return known.change
            raise
        store.record_reviewed(commit, change, now)
        return change

    def _state(self, commit: str) -> DesiredState | None:
        if commit not in self._states:
            self._states[commit] = load_state(self._site, self._mirror, commit)
        return self._states[commit]

    def _concern(self, state: DesiredState, environment: str) -> Concern:
        concerns = self._concerns.get(id(state))
        if concerns is None:
            concerns = self._concerns[id(state)] = Concerns(state, self._placed)
        return concerns.of(environment)

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


def pgp_keys(desired: DesiredState) -> tuple[str, ...]:
    """Return the OpenPGP keys of everybody that a desired state knows."""
    return tuple(
        key for person in desired.people.values() for key in person.keys if key.strip().startswith(PGP_BEGIN)
    )
