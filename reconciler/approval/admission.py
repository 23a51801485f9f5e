"""Decides which entries of an environment may follow the branch: those that an approved change holds. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from reconciler.approval.entries import (
    MISSING,
    Entries,
    Key,
    Rules,
    Selection,
    differing,
    digest_of,
    is_rule,
    named,
    rules_of,
    with_entries,
)
from reconciler.approval.fitting import misfits
from reconciler.approval.policy import Judgement
from reconciler.desired.model import DesiredState

_ROUNDS = 5
REWRITTEN = "the history of the branch was rewritten: only what is approved after that can come into force"
"""Why an environment waits after a force push."""

UNCLAIMED = "no approved change holds it"
"""Why an entry waits that no change of the branch brought."""


class AdmissionState(StrEnum):
    """Whether an environment follows the branch.

    ``APPROVED``: all of it is in force. ``UNAPPROVED``: an entry is not approved. ``REWRITTEN``: an entry differs
    since the history of the branch was rewritten. ``AWAITING_EVIDENCE``: the forge cannot be asked now.
    """

    APPROVED = "approved"
    UNAPPROVED = "unapproved"
    REWRITTEN = "rewritten"
    AWAITING_EVIDENCE = "awaitingEvidence"


@dataclass(frozen=True, slots=True)
class Taken:
    """An entry that is in force as it is at the commit ``at``. Only approvals of what came later move it."""

    key: Key
    at: str


@dataclass(frozen=True, slots=True)
class KnownRelease:
    """A release that was in force once, as it was at the commit ``at``; ``digest`` tells its content."""

    package: str
    version: str
    digest: str
    at: str


@dataclass(frozen=True, slots=True)
class Admission:
    """What of the branch is in force for an environment.

    ``commit`` is the last commit of which all is in force. ``taken`` are the entries that are in force as they are
    at a later commit. ``examined`` is the last commit that was looked at. ``blocked`` is the first commit that
    holds an entry which waits, empty where there is none, and ``reasons`` say why. ``floor`` is the newest commit
    that a rewritten history had when the rewriting was seen: what came before it counts as approved by nobody.
    Hosts know the releases of the catalog at ``catalog``, and those in ``known``.
    """

    environment: str
    commit: str
    examined: str
    state: AdmissionState = AdmissionState.APPROVED
    blocked: str = ""
    reasons: tuple[str, ...] = ()
    floor: str = ""
    catalog: str = ""
    taken: tuple[Taken, ...] = ()
    known: tuple[KnownRelease, ...] = ()

    @property
    def begin(self) -> str:
        """The commit after which the branch is to be looked at."""
        return self.floor or self.commit


@dataclass(frozen=True, slots=True)
class Decision:
    """What was found of one commit for an environment that it concerns.

    ``known`` is false where the forge could not be asked. ``entries`` are those that the commit's change holds.
    """

    environment: str
    commit: str
    judgement: Judgement
    known: bool = True
    entries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ruling:
    """A decision, and the entries that the change alters; `MISSING` stands for one that it removes."""

    decision: Decision
    own: Entries


@dataclass(frozen=True, slots=True)
class Line:
    """A part of the branch: its commits along first parents, the oldest first, and what each says.

    ``states`` gives the desired state at a commit, ``None`` where it does not validate, and ``entries`` its
    entries for the environment. ``defaults`` are the rules for an environment that does not exist yet.
    ``rewritten``: the line does not build on what was looked at last; it begins where the two parted.
    """

    commits: Sequence[str]
    states: Callable[[str], DesiredState | None]
    entries: Callable[[DesiredState], Entries]
    defaults: Rules
    rewritten: bool = False


class Judge(Protocol):
    """Judges commits by the rules that are in force for an environment."""

    def judge(self, commit: str, environment: str, rules: Rules, keys: frozenset[Key]) -> Ruling | None:
        """Judge a commit; ``None`` where its change has no part in any of these entries."""

    def emergency(self, commit: str, environment: str, rules: Rules, *, replayed: bool) -> Ruling | None:
        """Judge a commit that claims an emergency; ``None`` where it claims none, or not rightly.

        ``replayed``: the history was rewritten, so one that counted before counts no more.
        """


def admit(start: Admission, line: Line, judge: Judge) -> tuple[Admission, tuple[Decision, ...]]:
    """Go along the branch for one environment, and take what is approved.

    An entry that is as it is in force needs no approval, whatever lies between: so what a revert took back stands
    in nobody's way. All others need an approved change that holds the very same value, merged since the entry was
    last in line with the branch. What is not approved stays as it is in force.

    Args:
        start: what is in force.
        line: the branch from there on.
        judge: judges one commit.

    Returns:
        what is in force now, and what was decided on the way.
    """
    decisions: dict[str, Decision] = {}
    now = start
    for _ in range(_ROUNDS):
        walk = _Walk(now, line, judge)
        found = walk.go()
        decisions |= {decision.commit: decision for decision in walk.decisions}
        again = walk.rules_changed and found.state is not AdmissionState.APPROVED and found.begin == now.begin
        now = found
        if not again:  # else what was refused by the old rules may be approved by the new ones
            break
    return now, tuple(decisions.values())


def entries_in_force(
    admission: Admission, states: Callable[[str], DesiredState | None], entries: Callable[[DesiredState], Entries]
) -> dict[Key, object]:
    """Return the entries that are in force for an environment.

    Args:
        admission: what is in force.
        states: gives the state at a commit. Those that an admission names validate.
        entries: gives the environment's entries of a state.
    """

    def at(commit: str) -> Entries:
        state = states(commit)
        assert state is not None, "only what validates is ever in force"
        return entries(state)

    found = dict(at(admission.commit))
    for taken in admission.taken:
        value = at(taken.at).get(taken.key, MISSING)
        if value is MISSING:
            found.pop(taken.key, None)
        else:
            found[taken.key] = value
    return found


class _Walk:
    def __init__(self, start: Admission, line: Line, judge: Judge) -> None:
        self._line, self._judge, self._now = line, judge, start
        self._name = start.environment
        self._force = entries_in_force(start, line.states, line.entries)
        self._rules = self._rules_in_force()
        self._taken = {taken.key: taken.at for taken in start.taken}
        self._known = {(known.package, known.version): known for known in start.known}
        places = {commit: index for index, commit in enumerate(line.commits)}
        self._since = {key: places.get(at, -1) for key, at in self._taken.items()}
        self._granted: dict[Key, tuple[object, str]] = {}
        self._refused: dict[Key, tuple[str, ...]] = {}
        self._waiting: dict[Key, str] = {}
        self._misfits: tuple[str, ...] = ()
        self._pending: list[str] = []
        self._asked_in_vain = False
        self.decisions: list[Decision] = []
        self.rules_changed = False

    def go(self) -> Admission:
        if self._line.rewritten:
            self._look_at_rewritten()
        else:
            self._begin_at_floor()
            for index, commit in enumerate(self._line.commits):
                state = self._line.states(commit)
                if state is None:
                    self._pending.append(commit)
                    continue
                self._look_at(index, commit, state)
                self._now = replace(self._now, examined=commit)
        return self._concluded()

    def _begin_at_floor(self) -> None:
        """What differs since the history was rewritten waits until it is taken back, or approved after that."""
        state = self._line.states(self._now.floor) if self._now.floor else None
        if state is not None:
            differs = differing(self._force, self._line.entries(state))
            self._waiting = dict.fromkeys(differs, self._now.floor)

    def _rules_in_force(self) -> Rules:
        return rules_of(self._force) if self._force else self._line.defaults

    def _look_at(self, index: int, commit: str, state: DesiredState) -> None:
        entries = self._line.entries(state)
        if self._rules.policy.demands_nothing:
            self._follow(commit, entries)
            return
        differs = differing(self._force, entries)
        if not differs:
            self._in_line(commit)
            return
        self._settle(index, commit, differs)
        needed = {key: value for key, value in differs.items() if self._since.get(key, -1) < index}
        if not needed:
            return
        for each in (*self._pending, commit):
            self._hear(each, frozenset(needed))
        self._pending.clear()
        for key in [key for key in self._granted if key not in needed]:
            del self._granted[key]  # in line here: what was approved up to here moves it no more
        for key in needed:
            self._waiting.setdefault(key, commit)
        self._take(index, commit, needed)
        if not self._waiting and not differing(self._force, entries):
            self._in_line(commit)

    def _look_at_rewritten(self) -> None:
        """Follow a rewritten branch as far as it is as in force. Of what it brings, only emergencies count."""
        newest = self._line.commits[-1]
        state = self._line.states(newest)
        assert state is not None, "the line ends in a commit that validates"
        entries = self._line.entries(state)
        if self._rules.policy.demands_nothing:
            self._follow(newest, entries)
        else:
            for commit in self._line.commits:
                self._hear_emergency(commit, replayed=True)
            index = len(self._line.commits) - 1
            differs = differing(self._force, entries)
            if differs:
                self._take(index, newest, differs)
                differs = differing(self._force, entries)
            if not differs:
                self._in_line(newest)
            else:
                self._waiting = dict.fromkeys(differs, newest)
                self._now = replace(self._now, floor=newest)
        self._now = replace(self._now, examined=newest)

    def _settle(self, index: int, commit: str, differs: Entries) -> None:
        """Put down that entries which differed are in line again: what was approved before moves them no more."""
        for key in [key for key in {*self._waiting, *self._granted} if key not in differs]:
            self._forget(key)
            self._taken[key], self._since[key] = commit, index

    def _forget(self, key: Key) -> None:
        for known in (self._waiting, self._granted, self._refused):
            known.pop(key, None)

    def _hear(self, commit: str, keys: frozenset[Key]) -> None:
        """Learn what the change of a commit holds, and whether it is approved."""
        if self._hear_emergency(commit, replayed=False):
            return
        ruling = self._judge.judge(commit, self._name, self._rules, keys)
        if ruling is None:
            return
        self.decisions.append(ruling.decision)
        self._asked_in_vain |= not ruling.decision.known
        if ruling.decision.judgement.approved:
            self._grant(commit, ruling.own)
        else:
            for key in ruling.own if ruling.own else keys:
                self._refused[key] = ruling.decision.judgement.reasons

    def _hear_emergency(self, commit: str, *, replayed: bool) -> bool:
        ruling = self._judge.emergency(commit, self._name, self._rules, replayed=replayed)
        if ruling is None:
            return False
        self.decisions.append(ruling.decision)
        self._grant(commit, ruling.own)
        return True

    def _grant(self, commit: str, own: Entries) -> None:
        """A newer approval of an entry replaces an older one."""
        for key, value in own.items():
            self._granted[key] = (value, commit)
            self._refused.pop(key, None)

    def _take(self, index: int, commit: str, needed: Entries) -> None:
        """Put in force what is approved, if it fits together; else what each change has that fits by itself."""
        covered: dict[str, dict[Key, object]] = {}
        for key, value in needed.items():
            granted, by = self._granted.get(key, (None, ""))
            if by and granted == value:
                covered.setdefault(by, {})[key] = granted
        if not covered:
            return
        whole = {key: value for part in covered.values() for key, value in part.items()}
        self._misfits = tuple(misfits(with_entries(self._force, whole)))
        parts = covered.values() if self._misfits else [whole]
        for part in parts:
            if not self._misfits or not any(misfits(with_entries(self._force, part))):
                self._put_in_force(index, commit, part)

    def _put_in_force(self, index: int, commit: str, part: Entries) -> None:
        self._force = with_entries(self._force, part)
        for key, value in part.items():
            self._forget(key)
            self._taken[key], self._since[key] = commit, index
            self.rules_changed |= is_rule(key)
            if isinstance(value, Selection):
                self._learn(commit, value)
        self._rules = self._rules_in_force()

    def _learn(self, commit: str, selection: Selection) -> None:
        """Put down the releases that hosts may know from now on."""
        name = selection.package.name
        for release in (*([selection.release] if selection.release else ()), *selection.others):
            known = KnownRelease(name, release.version, digest_of(release), commit)
            if release is selection.release or (name, release.version) not in self._known:
                self._known[name, release.version] = known

    def _follow(self, commit: str, entries: Entries) -> None:
        """Take all of a commit: nobody has to approve anything."""
        self._force = dict(entries)
        self._known.clear()
        self._now = replace(self._now, catalog=commit)
        self._in_line(commit)
        self._rules = self._rules_in_force()

    def _in_line(self, commit: str) -> None:
        self._now = replace(self._now, commit=commit, floor="")
        for known in (self._taken, self._since, self._granted, self._refused, self._waiting):
            known.clear()
        self._pending.clear()
        self._misfits = ()

    def _concluded(self) -> Admission:
        taken = tuple(Taken(key, at) for key, at in self._taken.items())
        now = replace(self._now, known=tuple(self._known.values()), taken=taken)
        if not self._waiting:
            return replace(now, state=AdmissionState.APPROVED, blocked="", reasons=())
        places = {commit: index for index, commit in enumerate(self._line.commits)}
        first = min(self._waiting.values(), key=lambda commit: places.get(commit, -1))
        state = AdmissionState.UNAPPROVED
        if now.floor:
            state = AdmissionState.REWRITTEN
        elif self._asked_in_vain:
            state = AdmissionState.AWAITING_EVIDENCE
        return replace(now, state=state, blocked=first, reasons=self._reasons(rewritten=bool(now.floor)))

    def _reasons(self, *, rewritten: bool) -> tuple[str, ...]:
        by_reason: dict[str, list[Key]] = {}
        for key in self._waiting:
            why = self._refused.get(key, (UNCLAIMED,))
            if key in self._granted:
                why = (*self._misfits,) or ("another value of it is approved",)
            for reason in why:
                by_reason.setdefault(reason, []).append(key)
        told = (f"{named(keys)}: {reason}" for reason, keys in by_reason.items())
        return (*((REWRITTEN,) if rewritten else ()), *told)
