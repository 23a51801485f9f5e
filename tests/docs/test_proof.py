"""Every test that the documentation names as a proof exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "what-is-proven-where.md"
NAMED = re.findall(r"`([\w/]+\.py)::(test_\w+)`", PAGE.read_text("utf-8"))


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_a_proof_that_is_named_exists(file: str, test: str) -> None:
    assert f"def {test}(" in (ROOT / file).read_text("utf-8")


def test_every_row_names_its_proof_or_says_that_there_is_none() -> None:
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    assert len(rows) > 20
    for row in rows:
        assert "::test_" in row or "nowhere yet" in row or row.startswith("| what |"), row
