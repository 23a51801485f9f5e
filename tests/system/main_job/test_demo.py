"""The demonstration, unattended: one JSON object, and 0 only where every host truly matched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

STAGES = ["first", "upgrade-dev", "promote-uat", "promote-prod", "revert", "by-hand"]


def play(*options: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "reconciler.cli.main", "demo", "--check", *options],
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    return done, json.loads(done.stdout)


def check(shown: dict[str, Any]) -> None:
    assert shown["matched"] is True
    assert [stage["name"] for stage in shown["stages"]] == STAGES
    by_name = {stage["name"]: stage["hosts"] for stage in shown["stages"]}
    agent = {
        name: {
            host: (found["before"].get("contoso-agent"), found["after"].get("contoso-agent"))
            for host, found in hosts.items()
        }
        for name, hosts in by_name.items()
    }
    assert {host: found["after"]["contoso-settings"] for host, found in by_name["first"].items()} == dict.fromkeys(
        ("DEV-01", "UAT-01", "PROD-01", "PROD-02"), "1.0"
    )
    assert agent["upgrade-dev"]["DEV-01"] == ("2.0.0", "2.1.0")
    assert agent["upgrade-dev"]["PROD-01"] == ("2.0.0", "2.0.0")
    assert agent["promote-prod"]["PROD-02"] == ("2.0.0", "2.1.0")
    assert agent["revert"]["PROD-01"] == ("2.1.0", "2.0.0")
    assert agent["revert"]["UAT-01"] == ("2.1.0", "2.1.0")
    assert agent["by-hand"]["PROD-01"] == (None, "2.0.0")


@pytest.mark.exhaustive  # `.ci/run` plays it by `make demo`, in a bare root
@pytest.mark.usefixtures("lab")
def test_on_lab_hosts() -> None:
    done, shown = play()
    assert shown["hosts"] == "lab"
    assert "real MSIs" in done.stderr.splitlines()[0]
    check(shown)


def test_on_simulated_hosts_it_says_so_in_its_first_line() -> None:
    done, shown = play("--simulated")
    assert shown["hosts"] == "simulated"
    assert "SIMULATED" in done.stderr.splitlines()[0]
    check(shown)
