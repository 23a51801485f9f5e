"""What Wine's Windows Installer cannot do is injected at msi.dll, on a lab host's Windows Python."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from reconciler.lab import Lab
from reconciler.lab.template import PYTHON

FOLDER = r"C:\Boundary"
SUITE = Path(__file__).with_name("msi_boundary_suite.py")
CASES = re.findall(r"def (test_\w+)", SUITE.read_text("utf-8"))


@pytest.fixture(scope="module")
def outcomes(lab: Lab) -> dict[str, str]:
    """Run the suite on a host, once."""
    (host,) = lab.up(["boundary"])
    try:
        host.install_agent({})
        for file in (SUITE, SUITE.parents[1] / "outcomes.py"):
            host.copy_in(file, rf"{FOLDER}\{file.name}")
        finished = host.run([PYTHON, rf"{FOLDER}\{SUITE.name}"])
        assert finished.exit_code == 0, finished.stderr
        found: dict[str, str] = json.loads(finished.stdout)
        return found
    finally:
        host.remove()


@pytest.mark.parametrize("case", CASES)
def test_boundary(outcomes: dict[str, str], case: str) -> None:
    assert outcomes[case] == ""
