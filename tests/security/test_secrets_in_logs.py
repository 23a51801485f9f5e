"""A secret that a release gives to its installer stands in no log, message or command line that is kept."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from reconciler.agent.installer import Installer
from reconciler.agent.journal import Journal
from reconciler.agent.machine import Look, Run, Running, RunResult
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.attempts import Attempt
from reconciler.kernel.probes import Probe, ProbeKind
from reconciler.kernel.releases import MsiRelease, ProgramRelease
from reconciler.kernel.steps import Action, Step, StepKind, Verb

SECRET = "hunter2hunter2"
ARTIFACT = Artifact("a" * 64, 1, "setup.exe")
PROGRAM = ProgramRelease("1.0", ARTIFACT, Probe(ProbeKind.FILE_VERSION, r"C:\x.exe"), f"/S /PASSWORD={SECRET}")
MSI = MsiRelease(
    "1.0",
    "{00000000-0000-0000-0000-0000000000A1}",
    "{00000000-0000-0000-0000-0000000000B1}",
    ARTIFACT,
    properties=(("DB_PASSWORD", SECRET),),
)


class Failed:
    """A run that failed, and told everybody what it was given."""

    log_path = r"C:\run\install.log"

    def wait(self, seconds: float) -> bool:
        return True

    def kill(self) -> None: ...

    def result(self) -> RunResult:
        return RunResult(1603, f"cannot sign in with {SECRET}")

    def log(self) -> str:
        return f"connecting as sa/{SECRET}\nfailed: {SECRET} is not the password\n"


class Machine:
    def look(self, probes: object = ()) -> Look:
        raise NotImplementedError

    def start(self, run: Run) -> Running:
        return Failed()

    def find(self, name: str) -> Running | None:
        return None

    def forget(self, attempt: str) -> None: ...


@pytest.mark.parametrize(
    "action",
    [
        Action(Verb.SET_UP, version="1.0", release=PROGRAM),
        Action(Verb.COMMAND, command=f'"C:\\tool.exe" --token="{SECRET}"'),
        Action(Verb.INSTALL, MSI.product_code, "1.0", MSI),
    ],
    ids=["arguments", "command", "property"],
)
def test_what_a_failed_run_says_is_kept_without_its_secrets(tmp_path: Path, action: Action) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    installer = Installer(Machine(), journal, tmp_path / "logs", threading.Event(), lambda *_: None)
    step = Step(StepKind.INSTALL, "app", None, "1.0", (action,))
    going = journal.start(Attempt("a1", "app", StepKind.INSTALL, "goal", "r1", 1.0), step)
    result = installer.run(going, action, {ARTIFACT.sha256: r"C:\setup.exe"})
    kept = (tmp_path / "logs" / "a1.log").read_text()
    assert "connecting as sa/" in kept
    for text in (result.command, result.message, kept):
        assert SECRET not in text
