"""Each folder in corpus/ is laid over corpus/base, and must have just the findings in its expected.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.desired.findings import Rule, Severity, as_json
from reconciler.desired.loading import Loaded, load, load_folder
from reconciler.desired.repository import GitRepository

CORPUS = Path(__file__).parent / "corpus"
BASE = CORPUS / "base"
CASES = sorted(path.name for path in CORPUS.iterdir() if path != BASE)


def files_of(case: str) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for folder in (BASE, CORPUS / case):
        found = (path for path in folder.rglob("*") if path.is_file() and path.parent != folder)
        files.update({path.relative_to(folder).as_posix(): path.read_bytes() for path in found})
    for path in expected_of(case).get("removed", []):
        del files[path]
    return files


def expected_of(case: str) -> dict[str, list[object]]:
    return json.loads((CORPUS / case / "expected.json").read_text("utf-8"))


def check(loaded: Loaded, case: str) -> None:
    expected = expected_of(case)["findings"]
    found = [{key: value for key, value in as_json(f).items() if key != "severity"} for f in loaded.findings]
    assert found == expected
    assert (loaded.state is None) == any(finding.severity is Severity.ERROR for finding in loaded.findings)


@pytest.mark.parametrize("case", CASES)
def test_findings_of_a_commit(case: str, origin: Any, repository: GitRepository) -> None:
    check(load(repository, origin.commit(files_of(case))), case)


@pytest.mark.parametrize("case", CASES)
def test_findings_of_a_folder(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, data in files_of(case).items():
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    monkeypatch.chdir(tmp_path)
    check(load_folder(Path("environments")), case)


def test_the_base_is_valid(origin: Any, repository: GitRepository, valid: dict[str, bytes]) -> None:
    assert load(repository, origin.commit(valid)).findings == ()


def test_every_rule_that_a_plain_file_can_break_has_a_case() -> None:
    found = {finding["rule"] for case in CASES for finding in expected_of(case)["findings"]}  # type: ignore[index]
    # These need what no plain file in the corpus can be: links, pipes, huge or deep files, ones that may not be
    # read; and the last ones are about what is not in git: artifacts, and the server's grants.
    elsewhere = {
        Rule.SYMLINK,
        Rule.SUBMODULE,
        Rule.SPECIAL_FILE,
        Rule.TOO_LARGE,
        Rule.TOO_DEEP,
        Rule.TOO_MANY_FILES,
        Rule.UNREADABLE_FILE,
        Rule.MISSING_ARTIFACT,
        Rule.ARTIFACT_MISMATCH,
        Rule.IDENTITY_MISMATCH,
        Rule.UNREADABLE_ARTIFACT,
        Rule.UNTRUSTED_SIGNATURE,
        Rule.NOT_GRANTED,
    }
    assert {rule.value for rule in Rule} - {rule.value for rule in elsewhere} == found
