"""Decides how far along the branch an environment may go: to the last commit that is approved for it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from reconciler.approval.concerns import Concern
from reconciler.approval.policy import Judgement
from reconciler.desired.model import DesiredState

REWRITTEN = "the history of the branch was rewritten: what was approved is not on it any more"
"""Why an environment waits after a force push."""


class AdmissionState(StrEnum):
    """Where an environment stands.

    ``APPROVED``: nothing on the branch waits for it. ``UNAPPROVED``: a commit is not approved. ``REWRITTEN``: the
    branch no longer builds on what was approved. ``AWAITING_EVIDENCE``: the forge cannot be asked now.
    """

    APPROVED = "approved"
    UNAPPROVED = "unapproved"
    REWRITTEN = "rewritten"
    AWAITING_EVIDENCE = "awaitingEvidence"


@dataclass(frozen=True, slots=True)
class Admission:
    """How far an environment has gone.

    ``commit`` is what its desired state is taken from; ``examined`` the last commit that was looked at.
    ``blocked`` is the first one that may not count, empty where there is none, and ``reasons`` say why.
    """

    environment: str
    commit: str
    examined: str
    state: AdmissionState = AdmissionState.APPROVED
    blocked: str = ""
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What was found of one commit for an environment that it concerns. ``known`` is false where nobody told."""

    environment: str
    commit: str
    judgement: Judgement
    known: bool = True


@dataclass(frozen=True, slots=True)
class Line:
    """A part of the branch: its commits along first parents, the oldest first, and what each says.

    ``states`` gives the desired state at a commit, ``None`` where it does not validate, and ``concerns`` what of
    it concerns an environment. ``rewritten``: the line does not build on what was looked at last; it begins where
    the two parted.
    """

    commits: Sequence[str]
    states: Callable[[str], DesiredState | None]
    concerns: Callable[[DesiredState, str], Concern]
    rewritten: bool = False


class Judge(Protocol):
    """Judges commits, by the policy and the people of the desired state that was approved before."""

    def judge(self, commit: str, environment: str, approved: DesiredState) -> Decision:
        """Judge a commit for an environment."""

    def emergency(self, commit: str, environment: str, approved: DesiredState) -> Decision | None:
        """Judge a commit that claims an emergency; ``None`` where it claims none, or not rightly."""


def admit(start: Admission, line: Line, judge: Judge) -> tuple[Admission, tuple[Decision, ...]]:
    """Go along the branch for one environment, as far as what concerns it is approved.

    A commit that leaves what is asked of the environment as it was approved needs no approval, whatever lies
    between: so what was taken back by a revert stands in nobody's way. One that does not validate is judged
    together with the next that does.

    Args:
        start: how far it has gone.
        line: the branch from there on.
        judge: judges one commit.

    Returns:
        how far it goes now, and what was decided on the way.
    """
    return _Walk(start, line, judge).go()


class _Walk:
    def __init__(self, start: Admission, line: Line, judge: Judge) -> None:
        approved = line.states(start.commit)
        assert approved is not None, "only what validates is ever approved"
        self._line, self._judge = line, judge
        self._name = start.environment
        self._approved = approved
        self._concern = line.concerns(approved, self._name)
        self._now = replace(start, state=AdmissionState.APPROVED, blocked="", reasons=())
        if line.rewritten and line.commits:
            self._block(line.commits[-1], AdmissionState.REWRITTEN, (REWRITTEN,))
        self._decisions: list[Decision] = []
        self._pending: list[str] = []

    def go(self) -> tuple[Admission, tuple[Decision, ...]]:
        for commit in self._line.commits:
            state = self._line.states(commit)
            if state is None:
                self._pending.append(commit)  # and looked at again, until one that validates comes after it
            else:
                self._look_at(commit, state)
                self._now = replace(self._now, examined=commit)
        return self._now, tuple(self._decisions)

    def _look_at(self, commit: str, state: DesiredState) -> None:
        if self._approved.approvals_for(self._name).demands_nothing:
            self._advance(commit, state)
            return
        concern = self._line.concerns(state, self._name)
        if concern.asked == self._concern.asked:
            if concern.known == self._concern.known:
                self._advance(commit, state)
            else:
                self._release()
            return
        emergency = self._judge.emergency(commit, self._name, self._approved)
        if emergency is not None:
            self._decisions.append(emergency)
            self._advance(commit, state)
            return
        if self._now.blocked:
            return
        for each in (*self._pending, commit):
            decision = self._judge.judge(each, self._name, self._approved)
            self._decisions.append(decision)
            if not decision.judgement.approved:
                waits = AdmissionState.UNAPPROVED if decision.known else AdmissionState.AWAITING_EVIDENCE
                self._block(each, waits, decision.judgement.reasons)
                return
        self._advance(commit, state)

    def _advance(self, commit: str, state: DesiredState) -> None:
        self._approved = state
        self._concern = self._line.concerns(state, self._name)
        self._now = replace(self._now, commit=commit)
        self._release()

    def _release(self) -> None:
        self._pending.clear()
        self._now = replace(self._now, state=AdmissionState.APPROVED, blocked="", reasons=())

    def _block(self, commit: str, state: AdmissionState, reasons: tuple[str, ...]) -> None:
        self._now = replace(self._now, state=state, blocked=commit, reasons=reasons)
