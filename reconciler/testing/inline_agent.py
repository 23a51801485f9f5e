"""An agent without threads and server, on a simulated machine whose runs happen in this process: for fast tests.

Each turn looks, decides and carries out one step, through the very parts that the agent is made of.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconciler.agent.installer import Installer
from reconciler.agent.journal import Journal
from reconciler.agent.machine import ArtifactUnavailable, Run, Running
from reconciler.agent.recovery import recover
from reconciler.agent.run_folder import claim_run, write_result
from reconciler.agent.stepper import Stepper
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.assignment import Assignment, Goal
from reconciler.kernel.attempts import Attempt
from reconciler.kernel.calls import Call
from reconciler.kernel.convergence import Standing, converge
from reconciler.kernel.observation import Observation
from reconciler.kernel.protocol import goal_fingerprint
from reconciler.testing.simulated_machine import RUNS_NAME, SimulatedMachine

HOST = "HOST7"


class Died(BaseException):
    """The agent dies here; nothing catches it."""


class InlineMachine(SimulatedMachine):
    """A simulated machine whose runs happen in this process. ``calls`` are those that it has carried out."""

    def __init__(self, state: Path) -> None:
        super().__init__(state)
        self.calls: list[Call] = []
        self.after_run: Callable[[Call], None] = lambda _call: None
        self._folder = state.with_name(RUNS_NAME)
        self.start = self._start_inline

    def _start_inline(self, run: Run) -> Running:
        folder = self._folder / run.name
        folder.mkdir(parents=True)
        assert claim_run(str(folder), "gone"), "a run must be claimed by one only"
        self.calls.append(run.call)
        code, message = self.windows.run(run.call)
        write_result(str(folder), code, message)
        self.after_run(run.call)
        found = self.find(run.name)
        assert found is not None
        return found


@dataclass
class HeldFiles:
    """The artifacts by their sha256; ``asked_again`` are those that were fetched anew."""

    folder: Path
    content: dict[str, bytes]
    asked_again: list[str] = field(default_factory=list)
    refuse_again: bool = False

    def fetch(self, artifact: Artifact) -> str:
        """Lay the artifact on the disk."""
        if artifact.sha256 not in self.content:
            raise ArtifactUnavailable("nobody has it", where=artifact.file_name)
        path = self.folder / artifact.sha256[:8] / artifact.file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.content[artifact.sha256])
        return str(path)

    def fetch_again(self, artifact: Artifact) -> str:
        """Lay it there anew."""
        self.asked_again.append(artifact.file_name)
        if self.refuse_again:
            raise ArtifactUnavailable("the server is away", where=artifact.file_name)
        return self.fetch(artifact)


class InlineAgent:
    """The agent of one simulated machine, all in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.machine = InlineMachine(folder / "machine.json")
        self.windows = self.machine.windows
        self.files = HeldFiles(folder / "artifacts", {})
        self.reboots_asked: list[tuple[str, str]] = []
        self.assignment = Assignment(HOST, "dev", "r1")
        self._folder = folder
        self.restart()

    def restart(self) -> None:
        """Begin anew from what is on the disk, as after a crash."""
        self.journal = Journal(self._folder / "journal.jsonl")
        asked = self.reboots_asked
        self.installer = Installer(
            self.machine, self.journal, self._folder / "logs", threading.Event(), lambda *told: asked.append(told)
        )
        self.stepper = Stepper(self.machine, self.files, self.journal, self.installer)

    def artifact(self, name: str, content: bytes) -> Artifact:
        """Return an artifact that can be fetched."""
        sha256 = hashlib.sha256(content).hexdigest()
        self.files.content[sha256] = content
        return Artifact(sha256, len(content), name)

    def want(self, *goals: Goal) -> None:
        """Assign these."""
        told = tuple(replace(goal, fingerprint=goal_fingerprint(goal)) for goal in goals)
        self.assignment = replace(self.assignment, goals=told)

    def turn(self) -> Attempt | None:
        """Pick up what was left, or carry out what is due; return the attempt, or ``None`` where nothing is."""
        if self.journal.open_attempt is not None:
            return recover(self.journal, self.machine, self.installer, self.stepper)
        look = self.machine.look(self.assignment.probes)
        now = max((tally.last_ended_at for tally in self.journal.tallies), default=0.0) + 1e6
        decision = converge(self.assignment, self._observe(), now)
        if decision.step is None:
            return None
        goal = next(goal for goal in self.assignment.goals if goal.package == decision.step.package)
        return self.stepper.carry_out(decision.step, goal.fingerprint, self.assignment.revision, look)

    def turn_fully(self) -> Attempt:
        """Do a turn in which something must be due, and return its attempt."""
        attempt = self.turn()
        assert attempt is not None, "nothing is due"
        return attempt

    def standing(self) -> Standing:
        """Return where the first package stands now."""
        return converge(self.assignment, self._observe(), 0.0).standings[0]

    def _observe(self) -> Observation:
        look = self.machine.look(self.assignment.probes)
        wanted = {goal.package: goal.fingerprint for goal in self.assignment.goals}
        return Observation(
            products=look.products,
            reboot_pending=look.reboot_pending,
            tallies=tuple(t for t in self.journal.tallies if wanted.get(t.package) == t.goal),
            patches=look.patches,
            answers=look.answers,
        )
