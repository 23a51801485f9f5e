"""Whether a commit may count for an environment of 10,000 hosts, against reading that commit."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks import fleet
from benchmarks.desired_commits import CHANGED, Fleet, commit_fleet
from benchmarks.measure import Figure, Spread, cpu_seconds, progress, ratios, take_turns
from reconciler.approval.admission import Admission, AdmissionState, Decision, Line, Ruling, admit
from reconciler.approval.entries import Entries, EntryBook, Key, Rules
from reconciler.approval.policy import Judgement
from reconciler.desired.approvals import ApprovalPolicy
from reconciler.desired.cache import LoadCache
from reconciler.desired.loading import load
from reconciler.desired.model import DesiredState
from reconciler.kernel.errors import ReconcilerError

HOSTS = 10_000
_ROUNDS = 9


class NotJudged(ReconcilerError):
    """The commit was let through, or not looked at."""

    reference = "not-judged"


class _Strict:
    """Approves nothing, and asks nobody."""

    def judge(self, commit: str, environment: str, _rules: Rules, keys: frozenset[Key]) -> Ruling:
        judged = Judgement(approved=False, reasons=("nobody approved it",))
        return Ruling(Decision(environment, commit, judged), dict.fromkeys(keys))

    def emergency(self, _commit: str, _environment: str, _rules: Rules, *, replayed: bool) -> None:
        assert not replayed


def run() -> tuple[Figure, ...]:
    """Measure, and return the figures.

    Raises:
        NotJudged: what was measured is not what it is said to be.
    """
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as folder:
        progress(f"  committing {HOSTS:,} hosts")
        made = commit_fleet(Path(folder), HOSTS, _ROUNDS + 2)
        progress(f"  {_ROUNDS} rounds")
        kept, shown = LoadCache(), LoadCache()
        states = _states(made, shown)
        load(made.mirror, made.first, cache=kept)
        later = iter(made.later)
        taken = take_turns(
            _ROUNDS,
            {
                "judged": lambda: cpu_seconds(lambda: _judge(states, made)),
                "read": lambda: cpu_seconds(lambda: load(made.mirror, next(later), cache=kept)),
            },
        )
    few = f"a commit that changes {CHANGED} of {HOSTS:,} host files:"
    return (
        Figure(f"{few} judging ÷ reading it", "", ratios(taken["judged"], taken["read"])),
        Figure(f"{few} judging, processor time", "ms", Spread.of(s * 1e3 for s in taken["judged"])),
    )


def _states(made: Fleet, cache: LoadCache) -> dict[str, DesiredState]:
    """Return the first two states, whose environment asks for approvals."""
    policy = ApprovalPolicy(2, ("managers",))
    found = {}
    for commit in (made.first, made.later[0]):
        state = load(made.mirror, commit, cache=cache).state
        assert state is not None
        environments = {
            name: replace(environment, approvals=policy) for name, environment in state.environments.items()
        }
        found[commit] = replace(state, environments=environments)
    return found


def _judge(states: dict[str, DesiredState], made: Fleet) -> None:
    known: dict[str, EntryBook] = {}

    def entries(state: DesiredState) -> Entries:
        if state.revision not in known:
            known[state.revision] = EntryBook(state, {})
        return known[state.revision].of(fleet.ENVIRONMENT)

    start = Admission(fleet.ENVIRONMENT, made.first, made.first)
    found, decided = admit(start, Line((made.later[0],), states.get, entries, Rules()), _Strict())
    if found.state is not AdmissionState.UNAPPROVED or len(decided) != 1:
        raise NotJudged(f"a commit that nobody approved is {found.state}")
