"""A pushed host's cycle, on a simulated machine that can be out of reach: one step, on record, nothing twice."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from reconciler.agent.journal import Journal
from reconciler.agent.machine import Look, Machine, Run, Running
from reconciler.hosts.winrm.commands import HostAway
from reconciler.hosts.winrm.pushed_host import PushedHost
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.attempts import Attempt, Outcome
from reconciler.kernel.probes import Probe
from reconciler.kernel.protocol import Report
from reconciler.testing.sample_packages import Catalog, installed
from reconciler.testing.simulated_machine import SimulatedMachine
from reconciler.testing.simulated_state import Fault


class Unsteady(Machine):
    """A simulated machine whose connection breaks before what a test names."""

    def __init__(self, machine: SimulatedMachine) -> None:
        self.machine = machine
        self.breaks_before: set[str] = set()
        self.started: list[str] = []

    def _break(self, what: str) -> None:
        if what in self.breaks_before:
            raise HostAway("the line is cut")

    def look(self, probes: Sequence[Probe] = ()) -> Look:
        self._break("look")
        return self.machine.look(probes)

    def start(self, run: Run) -> Running:
        self._break("start")
        self.started.append(run.name)
        running = self.machine.start(run)
        if "wait" in self.breaks_before:
            assert running.wait(20), "the run ends while nobody can see it"
            self._break("wait")
        return running

    def find(self, name: str) -> Running | None:
        return self.machine.find(name)

    def forget(self, attempt: str) -> None:
        self.machine.forget(attempt)


class FilesOf:
    def __init__(self, folder: Path, catalog: Catalog) -> None:
        self._folder = folder
        self._catalog = catalog

    def fetch(self, artifact: Artifact) -> str:
        path = self._folder / artifact.file_name
        path.write_bytes(self._catalog.artifacts[artifact.sha256])
        return str(path)

    fetch_again = fetch


class Ledger:
    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.logs: dict[str, bytes] = {}
        self.busy_with: list[str | None] = []
        self.in_force = "digest"

    def stands(self, digest: str) -> bool:
        return digest == self.in_force

    def busy(self, package: str | None) -> None:
        self.busy_with.append(package)

    def keep(self, report: Report) -> None:
        self.reports.append(report)

    def keep_log(self, attempt: str, content: bytes) -> None:
        self.logs[attempt] = content

    @property
    def attempts(self) -> list[Attempt]:
        return [attempt for report in self.reports for attempt in report.attempts]


@pytest.fixture
def catalog() -> Catalog:
    return Catalog()


@pytest.fixture
def machine(tmp_path: Path) -> Unsteady:
    return Unsteady(SimulatedMachine(tmp_path / "machine.json"))


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def host(tmp_path: Path, machine: Unsteady, catalog: Catalog, ledger: Ledger) -> PushedHost:
    return PushedHost(tmp_path / "pushed", machine, FilesOf(tmp_path, catalog), ledger, threading.Event())


def test_a_cycle_looks_takes_one_step_looks_again_and_reports(
    host: PushedHost, machine: Unsteady, catalog: Catalog, ledger: Ledger
) -> None:
    release = catalog.release("1.0.0", 1)
    assert host.cycle(catalog.assignment(release), "digest") is not None, "it may have more to do"
    assert machine.machine.look().products == (installed(release),)
    last = ledger.reports[-1]
    assert (last.observation.products, last.assignment) == ((installed(release),), "digest")
    assert [(a.outcome, a.revision) for a in ledger.attempts] == [(Outcome.SUCCEEDED, "r1")]
    assert ledger.busy_with == ["sample", None]


def test_where_nothing_has_changed_nothing_is_reported(host: PushedHost, catalog: Catalog, ledger: Ledger) -> None:
    assignment = catalog.assignment(catalog.release("1.0.0", 1))
    host.cycle(assignment, "digest")
    before = len(ledger.reports)
    assert host.cycle(assignment, "digest") is None
    assert len(ledger.reports) == before


def test_before_it_is_known_what_is_wanted_nothing_is_done(
    host: PushedHost, machine: Unsteady, ledger: Ledger
) -> None:
    host.cycle(None, "")
    assert machine.started == []
    assert len(ledger.reports) == 1


def test_no_step_begins_for_what_was_wanted_before_the_look(
    host: PushedHost, machine: Unsteady, catalog: Catalog, ledger: Ledger
) -> None:
    ledger.in_force = "newer"
    assert host.cycle(catalog.assignment(catalog.release("1.0.0", 1)), "digest") is not None, "to look again"
    assert machine.started == []


@pytest.mark.parametrize("broken", ["wait", "start"])
def test_what_a_cut_left_open_is_found_out_before_anything_else(
    host: PushedHost, machine: Unsteady, catalog: Catalog, ledger: Ledger, tmp_path: Path, broken: str
) -> None:
    release = catalog.release("1.0.0", 1)
    assignment = catalog.assignment(release)
    machine.breaks_before = {broken}
    with pytest.raises(HostAway):
        host.cycle(assignment, "digest")
    assert Journal(tmp_path / "pushed" / "journal.jsonl").open_attempt is not None
    assert ledger.attempts == [], "nothing is told of what nobody knows"

    machine.breaks_before = set()
    again = PushedHost(tmp_path / "pushed", machine, FilesOf(tmp_path, catalog), ledger, threading.Event())
    again.cycle(assignment, "digest")
    first = ledger.attempts[0]
    assert first.outcome is (Outcome.SUCCEEDED if broken == "wait" else Outcome.INTERRUPTED)
    if broken == "wait":
        assert len(machine.started) == 1, "the run went on, and was not run again"


def test_a_failure_brings_its_log_and_stays_on_record_in_the_hosts_own_journal(
    host: PushedHost, machine: Unsteady, catalog: Catalog, ledger: Ledger
) -> None:
    release = catalog.release("1.0.0", 1)
    machine.machine.windows.add_fault(Fault(release.product_code, exit_code=1603))
    host.cycle(catalog.assignment(release), "digest")
    (failed,) = ledger.attempts
    assert failed.outcome is Outcome.FAILED
    assert list(ledger.logs) == [failed.id]
    assert ledger.reports[-1].observation.tallies[0].failures == 1
    due = host.cycle(catalog.assignment(release), "digest")
    assert due is not None, "there is another try"
    assert len(machine.started) == 1, "but not at once"
