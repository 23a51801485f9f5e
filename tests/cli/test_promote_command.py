"""promote on the command line: what it prints, in which form, and how it exits."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from reconciler.testing import preloaded
from reconciler.testing.workspace import Workspace

RELEASE = """  - version: {version}
    productCode: "{{00000000-0000-0000-0000-0000000000A{number}}}"
    packageCode: "{{00000000-0000-0000-0000-0000000000B{number}}}"
    artifact: {{sha256: {sha256}, size: 5, file: app.msi}}
"""
CATALOG = 'upgradeCode: "{00000000-0000-0000-0000-00000000000F}"\nreleases:\n' + "".join(
    RELEASE.format(version=f"{number}.0.0", number=number, sha256=str(number) * 64) for number in (1, 2)
)
FILES = {
    "environments/reconciler.yaml": "version: 1\n",
    "environments/catalog/app.yaml": CATALOG,
    "environments/uat/environment.yaml": "packages:\n  app: 2.0.0\n",
    "environments/prod/environment.yaml": "promotesFrom: uat\nsoak: 3d\npackages:\n  app: 1.0.0\n",
    "environments/uat/hosts/UAT-01.yaml": "",
}


def promote(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    where = ["--data", str(folder / "data"), "--repository", str(folder / "fleet.git")]
    return preloaded.run(
        ["promote", "--to", "prod", *where, "--author", "Riley <riley@example.com>", *words],
        {"PATH": os.environ["PATH"], "HOME": str(folder)},
    )


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    Workspace(tmp_path / "fleet.git", tmp_path / "fleet").publish(FILES, "first")
    return tmp_path


def test_what_is_not_verified_exits_1_with_the_reasons(fleet: Path) -> None:
    done = promote(fleet, "--from", "uat")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        "error: app 2.0.0 is not verified in uat\n"
        "  no host of uat that can be reached has it: UAT-01 (it has never reported)\n"
        "  hint: wait until it is"
    )


def test_the_way_around_needs_a_package(fleet: Path) -> None:
    done = promote(fleet, "--unverified", "hurry")
    assert done.returncode == 2
    assert "--package" in done.stderr


def test_text_says_what_became_of_it(fleet: Path) -> None:
    words = ("--package", "app", "--unverified", "hurry")
    done = promote(fleet, *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("prod: app 2.0.0 (UNVERIFIED: hurry)\n")
    assert "nobody: no approvals are asked for prod" in done.stdout
    assert "to promote/prod/app: open a pull request from it" in done.stdout
    assert "nothing was pushed: promote/prod/app proposes just this" in promote(fleet, *words).stdout
    hurried = promote(fleet, "--package", "app", "--unverified", "quickly")
    assert "to promote/prod/app: the proposal there is replaced" in hurried.stdout


def test_markdown_is_the_commits_message_and_json_has_all_of_it(fleet: Path) -> None:
    words = ("--package", "app", "--unverified", "hurry", "--format")
    markdown = promote(fleet, *words, "markdown").stdout
    shown = json.loads(promote(fleet, *words, "json").stdout)
    said = subprocess.run(
        ["git", "-C", str(fleet / "fleet.git"), "log", "-1", "--format=%B", shown["branch"]],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.rstrip() == markdown.rstrip()
    assert "\n**Evidence from uat for app 2.0.0**\n" in markdown
    assert "Nothing is known of 1 host(s): UAT-01 (it has never reported)" in markdown
    assert (shown["fate"], shown["title"]) == ("unchanged", "prod: app 2.0.0 (UNVERIFIED: hurry)")
    (promoted,) = shown["proposal"]["promoted"]
    assert (promoted["package"], promoted["before"], promoted["after"]) == ("app", "1.0.0", "2.0.0")
    (host,) = promoted["verification"]["hosts"]
    assert (host["host"], host["witnessed"]) == ("UAT-01", "unreachable")
    assert promoted["verification"]["soak"] == 3 * 86_400
    assert shown["proposal"]["plan"]["unknown"] == []
