"""The command line: exit codes, messages for people, JSON for programs, nothing that needs a daemon to run."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from reconciler.testing import preloaded

EXAMPLE = Path(__file__).parents[2] / "environments"


def reconciler(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return preloaded.run(words, {"PATH": os.environ["PATH"], **environment})


def test_the_example_is_valid() -> None:
    done = reconciler("validate", str(EXAMPLE))
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 environments" in done.stdout


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "dev").mkdir()
    (tmp_path / "reconciler.yaml").write_text("version: 1\nversion: 1\n")
    (tmp_path / "dev" / "environment.yaml").write_text("packages:\n  nothing: 1.0.0\n")
    return tmp_path


def test_findings_exit_1_and_name_the_place(broken: Path) -> None:
    done = reconciler("validate", str(broken))
    assert done.returncode == 1
    assert f"{broken}/dev/environment.yaml:2:3: error:" in done.stdout
    assert f"{broken}/reconciler.yaml:2:1: error:" in done.stdout


def test_findings_as_json(broken: Path) -> None:
    done = reconciler("validate", str(broken), "--format", "json")
    assert done.returncode == 1
    shown = json.loads(done.stdout)
    assert shown["valid"] is False
    assert {finding["rule"] for finding in shown["findings"]} == {"duplicate-key", "unknown-package"}


def test_a_folder_that_is_not_there_is_an_error_with_a_hint(tmp_path: Path) -> None:
    done = reconciler("validate", str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert "there is no such folder" in done.stderr
    assert "hint:" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["plan"],
        ["host", "H1"],
        ["trace", "H1", "app"],
        ["agent", "token", "--environment", "dev"],
        ["retry", "H1", "app"],
    ],
)
def test_before_anything_is_in_force_commands_say_what_to_do(command: list[str], tmp_path: Path) -> None:
    assert reconciler("status", RECONCILER_DATA=str(tmp_path / "data")).returncode == 0
    done = reconciler(*command, RECONCILER_DATA=str(tmp_path / "data"), RECONCILER_REPOSITORY=str(tmp_path))
    assert done.returncode == 1
    assert "no valid revision" in done.stderr
    assert "reconciler" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [[], ["H1"], ["--environment", "dev"], ["--package", "app"], ["H1", "app", "--environment", "dev"]],
    ids=" ".join,
)
def test_retry_wants_a_host_or_an_environment_and_a_package(words: list[str], tmp_path: Path) -> None:
    done = reconciler("retry", *words, RECONCILER_DATA=str(tmp_path / "data"))
    assert done.returncode == 2
    assert "HOST and PACKAGE" in done.stderr
    assert not (tmp_path / "data").exists()


def test_how_tries_stand_is_told_in_one_phrase() -> None:
    from reconciler.cli.output import tries
    from reconciler.kernel.attempts import Cause
    from reconciler.kernel.retries import Tries

    now = time.time()
    then = time.strftime("%H:%M:%S", time.localtime(now))
    assert tries(Tries(3, 8, 0, Cause.FAILED, 1603, now)) == f"attempt 3 of 8 (failed 1603), next try {then}"
    assert (
        tries(Tries(4, 4, 0, Cause.PERMANENT, 1625, None))
        == "attempt 4 of 4 (refused for good 1625), no further try"
    )
    far = tries(Tries(1, None, 2, Cause.WAITED, None, now + 200_000))
    day = time.strftime("%Y-%m-%d", time.localtime(now + 200_000))
    assert far.startswith(f"attempt 2, not charged (had to wait), next try {day} ")
    assert tries(None) == ""


def test_status_of_nothing_is_no_error(tmp_path: Path) -> None:
    done = reconciler("status", RECONCILER_DATA=str(tmp_path / "data"))
    assert done.returncode == 0
    assert "no revision is in force yet" in done.stdout


def test_a_setting_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    done = reconciler("status", RECONCILER_DATA=str(tmp_path), RECONCILER_SILENT_SECONDS="soon")
    assert done.returncode == 1
    assert "RECONCILER_SILENT_SECONDS" in done.stderr


def test_the_daemon_needs_a_repository(tmp_path: Path) -> None:
    done = reconciler("daemon", RECONCILER_DATA=str(tmp_path / "data"))
    assert done.returncode == 1
    assert "--repository" in done.stderr


def test_a_port_in_use_is_said_so(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = reconciler(
            "daemon", "--repository", str(tmp_path), "--port", port, RECONCILER_DATA=str(tmp_path / "d")
        )
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr


def test_a_stale_schema_is_found_and_written(tmp_path: Path) -> None:
    assert reconciler("schema", str(tmp_path), "--check").returncode == 1
    assert reconciler("schema", str(tmp_path)).returncode == 0
    assert reconciler("schema", str(tmp_path), "--check").returncode == 0


def test_every_command_shows_an_example() -> None:
    import typer

    from reconciler.cli.main import app

    def walk(command: Any, path: str) -> list[str]:
        if hasattr(command, "commands"):
            return [line for name, sub in command.commands.items() for line in walk(sub, f"{path} {name}")]
        return [path] if "Example: `reconciler" not in (command.epilog or "") else []

    assert walk(typer.main.get_command(app), "reconciler") == []


def test_listings_are_not_coloured_into_a_pipe(tmp_path: Path) -> None:
    done = reconciler("status", RECONCILER_DATA=str(tmp_path / "data"), FORCE_COLOR="")
    assert "\x1b" not in done.stdout
