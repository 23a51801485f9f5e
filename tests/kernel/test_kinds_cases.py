"""Packages of every kind as data: one file a case, goals and facts in as they go over the wire, standings out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.kernel.assignment import Assignment
from reconciler.kernel.convergence import Standing, converge
from reconciler.kernel.observation import Observation
from reconciler.kernel.steps import Action
from reconciler.kernel.wire import decode, encode

CASES = sorted((Path(__file__).parent / "kinds").glob("*.json"))
NOW = 1_000_000.0


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    case = json.loads(path.read_text("utf-8"))
    assignment = decode(Assignment, {"host": "H", "environment": "e", "revision": "r", "goals": case["goals"]})
    assert decode(Assignment, json.loads(json.dumps(encode(assignment)))) == assignment
    observed = decode(Observation, case["observed"])

    standings = {standing.package: standing for standing in converge(assignment, observed, NOW).standings}

    for package, expected in case["expect"].items():
        assert {key: told(standings[package])[key] for key in expected} == expected


def told(standing: Standing) -> dict[str, Any]:
    step = standing.step
    return {
        "sync": standing.sync.value,
        "health": standing.health.value,
        "reason": standing.reason.value,
        "installed": standing.installed,
        "wanted": standing.wanted,
        "message": standing.message,
        "ready": standing.ready,
        "step": step.kind.value if step else None,
        "before": [words(action) for action in step.before] if step else [],
        "actions": [words(action) for action in step.actions] if step else [],
        "compensation": [words(action) for action in step.compensation] if step else [],
        "after": [words(action) for action in step.after] if step else [],
        "lastly": [words(action) for action in step.lastly] if step else [],
    }


def words(action: Action) -> str:
    parts = [action.verb.value, action.version, action.command, *action.services, *action.processes]
    parts += [f"set {setting}" for setting in action.settings] + [f"delete {left}" for left in action.leftovers]
    return " ".join(part for part in parts if part)
