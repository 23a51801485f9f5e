"""The command table as data: one file a case, facts in, step out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.kernel.artifact import Artifact
from reconciler.kernel.assignment import Assignment, Goal, Hold
from reconciler.kernel.convergence import converge
from reconciler.kernel.observation import Observation
from reconciler.kernel.releases import MsiRelease
from reconciler.kernel.wire import decode

CASES = sorted((Path(__file__).parent / "convergence").glob("*.json"))
NOW = 1_000_000.0
UPGRADE_CODE = "{00000000-0000-0000-0000-00000000000F}"


def guid(short: str) -> str:
    return "{00000000-0000-0000-0000-" + short.rjust(12, "0").upper() + "}"


def release(spec: dict[str, str]) -> MsiRelease:
    return MsiRelease(
        version=spec["version"],
        product_code=guid(spec["product"]),
        package_code=guid(spec["package"]),
        artifact=Artifact(spec["package"].rjust(64, "0"), 1000, f"app-{spec['version']}.msi"),
    )


def observation(case: dict[str, Any]) -> Observation:
    products = []
    for spec in case["installed"]:
        product = {
            "product_code": guid(spec["product"]),
            "version": spec["version"],
            "name": "App",
            **{key: spec[key] for key in ("context", "state") if key in spec},
        }
        if "package" in spec:
            product["package_code"] = guid(spec["package"])
        if spec.get("upgrade", True):
            product["upgrade_code"] = UPGRADE_CODE
        products.append(product)
    tallies = [
        {"package": "app", "goal": "goal", "last_ended_at": NOW - tally["ago"], **tally["counts"]}
        for tally in case.get("tallies", [])
    ]
    data = {"products": products, "tallies": tallies}
    data |= {key: case[key] for key in ("reboot_pending", "reboot_asked_by") if key in case}
    return decode(Observation, data)


def hold(spec: dict[str, Any] | None) -> Hold | None:
    if spec is None:
        return None
    return Hold(spec["reason"], NOW + spec["ends_in"] if "ends_in" in spec else None)


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_case(file: Path) -> None:
    case = json.loads(file.read_text())
    catalog = {spec["version"] + spec.get("build", ""): release(spec) for spec in case["catalog"]}
    target = catalog[case["wanted"]] if case["wanted"] != "absent" else None
    others = tuple(known for known in catalog.values() if known is not target)
    goal = Goal(
        "app",
        UPGRADE_CODE,
        target,
        others,
        fingerprint="goal",
        awaits=case.get("awaits", ""),
        halted=case.get("halted", False),
    )
    assignment = Assignment("H", "dev", "c0ffee", (goal,), hold(case.get("hold")))
    decision = converge(assignment, observation(case), NOW)
    (standing,) = decision.standings
    step = standing.step
    expected = case["expect"]
    shown: dict[str, Any] = {
        "sync": standing.sync,
        "health": standing.health,
        "reason": standing.reason,
        "ready": standing.ready,
    }
    if step is not None:
        shown["step"] = step.kind
        shown["actions"] = [f"{action.verb} {action.version}" for action in step.actions]
        if step.compensation:
            shown["compensation"] = [f"{action.verb} {action.version}" for action in step.compensation]
    if decision.look_again_at is not None:
        shown["look_again_in"] = round(decision.look_again_at - NOW, 1)
    assert shown == expected
    assert (decision.step is not None) == standing.ready
    assert decision == converge(assignment, observation(case), NOW)
