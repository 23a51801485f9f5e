"""init, import, publish and adopt on the command line: what they print, and how they exit."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from reconciler.cli.publish import show_arrivals
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.releases import MsiRelease
from reconciler.kernel.status import Health, Reason
from reconciler.operations.arrival import Arrival, ArrivalState, HostArrival
from reconciler.operations.publish import Published
from reconciler.testing import preloaded


def reconciler(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return preloaded.run(words, {"PATH": os.environ["PATH"], "HOME": str(cwd), **environment}, cwd)


def test_init_makes_a_repository_that_validates(tmp_path: Path) -> None:
    # In a new Python, as libgit2 looks once in the life of a process where a user's settings are.
    made = subprocess.run(
        [sys.executable, "-m", "reconciler.cli.main", "init", "fleet", "--forge", "gitlab"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (made.returncode, made.stderr) == (0, "")
    assert "created   fleet/environments/dev/environment.yaml" in made.stdout
    assert "created   fleet/.gitlab-ci.yml" in made.stdout
    assert "note: git does not know who you are" in made.stdout
    assert reconciler("validate", cwd=tmp_path / "fleet").returncode == 0
    again = reconciler("init", "--forge", "gitlab", cwd=tmp_path / "fleet")
    assert "files were up to date" in again.stdout
    assert "created" not in again.stdout


def test_init_says_what_it_kept(tmp_path: Path) -> None:
    (tmp_path / ".gitlab-ci.yml").write_text("stages: []\n")
    said = json.loads(reconciler("init", "--forge", "gitlab", "--no-git", "--format", "json", cwd=tmp_path).stdout)
    (kept,) = [file for file in said["files"] if file["fate"] == "kept"]
    assert kept["path"] == ".gitlab-ci.yml"
    assert kept["why"]
    assert not (tmp_path / ".git").exists()


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    assert reconciler("init", "--no-git", cwd=tmp_path).returncode == 0
    return tmp_path


def test_import_tells_every_problem(fleet: Path) -> None:
    for name in ("one.msi", "two.msi"):
        (fleet / name).write_bytes(b"no installer")
    done = reconciler("import", "one.msi", "two.msi", cwd=fleet)
    assert done.returncode == 1
    assert "one.msi: this is not a Windows Installer package" in done.stderr
    assert "two.msi: this is not a Windows Installer package" in done.stderr
    assert "Traceback" not in done.stderr


def test_publish_of_what_is_no_msi_says_so_before_anything_else(fleet: Path) -> None:
    (fleet / "one.msi").write_bytes(b"no installer")
    done = reconciler("publish", "one.msi", "--package", "one", "--environment", "dev", cwd=fleet)
    assert done.returncode == 1
    assert "not a Windows Installer package" in done.stderr


def test_a_proposal_cannot_be_waited_for(fleet: Path) -> None:
    (fleet / "one.msi").write_bytes(b"no installer")
    words = ("--package", "one", "--environment", "dev", "--branch", "propose", "--wait")
    done = reconciler("publish", "one.msi", *words, cwd=fleet)
    assert done.returncode == 2
    assert "--branch" in done.stderr


def test_adopt_before_anything_is_in_force_says_what_to_do(fleet: Path) -> None:
    done = reconciler("adopt", "PROD-01", cwd=fleet)
    assert done.returncode == 1
    assert "no valid revision" in done.stderr
    assert "Traceback" not in done.stderr


def test_waiting_is_a_bar_on_a_terminal_and_lines_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    artifact = Artifact("a" * 64, 1, "app.msi")
    published = Published("app", "dev", MsiRelease("2.0.0", "{A}", "{B}", artifact), "main", "c" * 40, (), ())
    late = HostArrival("DEV-02", Health.MISSING, Reason.STEP_DUE, "")
    looks = [
        Arrival(ArrivalState.NOT_IN_FORCE, 0, 0, (), "commit cccccccccc is not in force yet"),
        Arrival(ArrivalState.ON_ITS_WAY, 2, 1, (late,)),
        Arrival(ArrivalState.SYNCED, 2, 2, ()),
    ]
    terminal = io.StringIO()
    console = Console(file=terminal, force_terminal=True, width=100)
    assert show_arrivals(iter(looks), published, console) is looks[-1]
    assert "━" in terminal.getvalue()
    capsys.readouterr()
    assert show_arrivals(iter(looks), published, Console(file=io.StringIO(), force_terminal=False)) is looks[-1]
    assert capsys.readouterr().err.splitlines() == [
        "waiting: commit cccccccccc is not in force yet",
        "1 of 2 hosts of dev have app 2.0.0",
        "done: 2 of 2 hosts of dev have app 2.0.0",
    ]
