"""`reconciler validate`: what it prints in each format, and what it exits with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from reconciler.cli.main import app

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "desired" / "corpus"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def lay(*cases: str) -> None:
    for case in cases:
        for path in (CORPUS / case).rglob("*.yaml"):
            target = Path(path.relative_to(CORPUS / case))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())


def validate(*words: str) -> Result:
    return CliRunner().invoke(app, ["validate", *words])


def test_warnings_are_shown_and_exit_0() -> None:
    lay("base", "alike-but-allowed")
    done = validate()
    assert done.exit_code == 0
    assert (
        "environments/catalog/agent.yaml:16:14: warning: to Windows 2.0.0.1 and 2.0.0 are one version"
        in done.stdout
    )
    assert done.stdout.splitlines()[-1] == "valid: 2 environments, 1 hosts, 2 packages; 2 warning(s)"


def test_errors_come_before_warnings_and_exit_1() -> None:
    lay("base", "shared-codes")
    done = validate()
    assert done.exit_code == 1
    kinds = [line.split(": ")[1] for line in done.stdout.splitlines() if line.startswith("environments/")]
    assert kinds == sorted(kinds)
    assert set(kinds) == {"error", "warning"}
    assert done.stdout.splitlines()[-1] == f"{kinds.count('error')} error(s), 1 warning(s)"


def test_github_gets_one_annotation_a_finding() -> None:
    lay("base", "groups")
    done = validate("--format", "github")
    assert done.exit_code == 1
    annotations = [line for line in done.stdout.splitlines() if line.startswith("::")]
    assert len(annotations) == len(json.loads((CORPUS / "groups/expected.json").read_text())["findings"])
    assert annotations[0].startswith(
        "::error file=environments/reconciler.yaml,line=4,col=3,title=invalid-value::"
    )


def test_sarif_is_one_document_even_where_nothing_is_wrong() -> None:
    lay("base", "everything")
    done = validate("--format", "sarif")
    assert done.exit_code == 0
    log = json.loads(done.stdout)
    assert log["version"] == "2.1.0"
    assert log["runs"][0]["results"] == []
    lay("unknown-keys")
    done = validate("--format", "sarif")
    assert done.exit_code == 1
    assert {result["level"] for result in json.loads(done.stdout)["runs"][0]["results"]} == {"error"}


def test_json_tells_errors_from_warnings() -> None:
    lay("base", "shared-codes")
    shown = json.loads(validate("--format", "json").stdout)
    assert shown["valid"] is False
    assert {finding["severity"] for finding in shown["findings"]} == {"error", "warning"}


def test_artifacts_are_looked_for_without_an_installation() -> None:
    lay("base")
    assert validate().exit_code == 0
    done = validate("--artifacts", "--data", "nowhere")
    assert done.exit_code == 1
    assert done.stdout.count("[missing-artifact]") == 4
    assert "environments/catalog/tool.yaml:6:" in done.stdout
    assert not Path("nowhere").exists()
