"""From any state to any goal, with the agent dying between any two side effects: the machine gets there.

The steps are carried out as the agent does, without its threads, on the simulated machine with its installer in
this process. A crash is an exception that nothing catches; then everything is begun anew from what is on disk.
"""

from __future__ import annotations

import tempfile
import threading
from dataclasses import replace
from pathlib import Path

from hypothesis import example, given, note
from hypothesis import strategies as st

from reconciler.agent.artifacts import ArtifactCache
from reconciler.agent.installer import Installer
from reconciler.agent.journal import Journal
from reconciler.agent.recovery import recover
from reconciler.agent.run_folder import claim_run, write_result
from reconciler.agent.stepper import Stepper
from reconciler.kernel.attempts import SUCCESSES, Outcome
from reconciler.kernel.convergence import converge
from reconciler.kernel.observation import Observation
from reconciler.kernel.steps import Verb
from reconciler.testing.sample_packages import STRANGER, Catalog, installed
from reconciler.testing.simulated_machine import SimulatedMachine
from tests.properties import examples

VERSIONS = [("1.0.0", 1), ("1.0.1", 1), ("1.1.0", 2), ("2.0.0", 3), ("2.0.0.5", 4), ("2.1.0", 3)]
MOST_STEPS = 40


class Crash(BaseException):
    """The agent dies here."""


class Crashes:
    """Side effects are counted; at the counts drawn the agent dies."""

    def __init__(self, at):
        self._at = set(at)
        self._count = 0

    def here(self):
        self._count += 1
        if self._count in self._at:
            raise Crash(self._count)


class InlineMachine(SimulatedMachine):
    """Runs the installer in this process. A crash at its start hits the agent and leaves the run as drawn."""

    def __init__(self, state, crashes):
        super().__init__(state)
        self._folder = state.with_name("runs")
        self._crashes = crashes
        self.start = self.start_inline
        self.runs = []

    def start_inline(self, run):
        self._crashes.here()  # before the child exists
        folder = self._folder / run.name
        folder.mkdir(parents=True)
        assert claim_run(str(folder), "gone"), "a run must be claimed by one only"
        self.runs.append((run.name, run.call.kind, run.call.subject))
        self._crashes.here()  # the child has claimed and dies with the agent, as in a power cut
        code, message = self.windows.run(run.call)
        self._crashes.here()  # the work is done, its result not written
        write_result(str(folder), code, message)
        self._crashes.here()  # all is done, the agent does not know
        return self.find(run.name)


class CrashingJournal(Journal):
    def __init__(self, path, crashes):
        self._crashes = crashes
        super().__init__(path)

    def _append(self, record):
        self._crashes.here()
        super()._append(record)
        self._crashes.here()


class Files(ArtifactCache):
    """All files are there."""

    def __init__(self, folder, catalog):
        super().__init__(folder, None, None)
        for release in catalog.releases:
            path = folder / release.artifact.sha256 / release.artifact.file_name
            path.parent.mkdir(parents=True)
            path.write_bytes(catalog.artifacts[release.artifact.sha256])


class Host:
    def __init__(self, folder, catalog, crashes):
        self.folder, self.crashes = folder, crashes
        self.machine = InlineMachine(folder / "machine.json", crashes)
        self.files = Files(folder / "artifacts", catalog)
        self.attempts = []

    def live(self, assignment):
        """One life of the agent, until it has nothing to do or dies. Time passes as fast as waiting takes."""
        journal = CrashingJournal(self.folder / "journal.jsonl", self.crashes)
        installer = Installer(self.machine, journal, self.folder / "logs", threading.Event(), lambda *_: None)
        stepper = Stepper(self.machine, self.files, journal, installer)
        self._keep(recover(journal, self.machine, installer, stepper))
        for _ in range(MOST_STEPS):
            now = max((t.last_ended_at for t in journal.tallies), default=0.0) + 1e6
            look = self.machine.look()
            observed = Observation(look.products, tallies=journal.tallies)
            decision = converge(assignment, observed, now)
            if decision.step is None:
                return decision
            goal = assignment.goals[0].fingerprint
            self._keep(stepper.carry_out(decision.step, goal, assignment.revision, look))
        raise AssertionError("the agent did not come to an end")

    def _keep(self, attempt):
        if attempt is not None:
            self.attempts.append(attempt)


@examples(150)
@example(before={0, 2}, target=1, crashes=[])
@example(before={2, 3}, target=5, crashes=[])
@given(
    before=st.sets(st.sampled_from(range(len(VERSIONS))), max_size=3),
    target=st.one_of(st.none(), st.sampled_from(range(len(VERSIONS)))),
    crashes=st.lists(st.integers(1, 60), max_size=6),
)
def test_the_goal_is_reached_and_nothing_else_is_touched(before, target, crashes):
    catalog = Catalog()
    releases = [catalog.release(version, product) for version, product in VERSIONS]
    present = {releases[i].product_code: installed(releases[i]) for i in before}
    wanted = releases[target] if target is not None else None
    assignment = catalog.assignment(wanted)
    with tempfile.TemporaryDirectory() as folder:
        host = Host(Path(folder), catalog, Crashes(crashes))
        host.machine.windows.put(STRANGER, *present.values())
        decision = None
        lives = 0
        while decision is None:
            lives += 1
            try:
                decision = host.live(assignment)
            except Crash as crash:
                note(f"crash at side effect {crash}")
        assert lives <= len(crashes) + 1
        assert set(host.machine.windows.state().products) == {STRANGER} | (
            {installed(wanted)} if wanted else set()
        )
        assert [s.step for s in decision.standings] == [None]
        assert len(host.machine.runs) <= 2 * len(present) + 2 + 3 * len(set(crashes))
        assert len({name for name, _, _ in host.machine.runs}) == len(host.machine.runs), "a run was begun twice"
        _check_history(host, bool(crashes))


def _check_history(host, crashed):
    journal = Journal(host.folder / "journal.jsonl")
    assert journal.open_attempt is None
    recorded = {attempt.id: attempt for attempt in journal.unconfirmed}
    assert all(attempt.ended_at is not None for attempt in recorded.values())
    begun = {name.rpartition("-")[0] for name, _, _ in host.machine.runs}
    assert begun <= set(recorded), "an installer ran for an attempt that is on no record"
    if not crashed:
        assert {attempt.outcome for attempt in recorded.values()} <= SUCCESSES
    assert not list((host.folder / "runs").glob("*")), "run folders are left behind"


@examples(60)
@given(
    before=st.sampled_from(range(len(VERSIONS))),
    target=st.sampled_from(range(len(VERSIONS))),
    crashes=st.lists(st.integers(1, 30), max_size=3),
)
def test_a_release_that_always_fails_never_costs_what_could_be_put_back(before, target, crashes):
    """Without a crash the old release stands in the end; with one, nothing that does not belong is touched."""
    catalog = Catalog()
    releases = [catalog.release(version, product) for version, product in VERSIONS]
    if before == target:
        return
    broken = catalog.release(VERSIONS[target][0], 9, refuses="never")
    assignment = catalog.assignment(replace(broken, product_code=broken.product_code))
    with tempfile.TemporaryDirectory() as folder:
        host = Host(Path(folder), catalog, Crashes(crashes))
        host.machine.windows.put(STRANGER, installed(releases[before]))
        decision = None
        while decision is None:
            try:
                decision = host.live(assignment)
            except Crash as crash:
                note(f"crash at side effect {crash}")
        products = set(host.machine.windows.state().products)
        assert STRANGER in products
        assert installed(broken) not in products
        if not crashes:
            assert installed(releases[before]) in products
            assert {a.outcome for a in host.attempts} <= {Outcome.FAILED, Outcome.FAILED_ROLLED_BACK}
            verbs = {action.verb for attempt in host.attempts for action in attempt.actions}
            assert verbs <= {Verb.INSTALL, Verb.REMOVE}
