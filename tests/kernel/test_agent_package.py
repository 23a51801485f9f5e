"""The agent's own package goes forth and back in one run: an agent that is removed could do nothing after it."""

from __future__ import annotations

import pytest

from reconciler.kernel.agent_package import AGENT_UPGRADE_CODE
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.assignment import Assignment, Goal
from reconciler.kernel.convergence import converge
from reconciler.kernel.observation import InstalledProduct, Observation
from reconciler.kernel.releases import MsiRelease
from reconciler.kernel.steps import StepKind, Verb


def guid(number: int) -> str:
    return f"{{{number:08X}-0000-4000-8000-000000000000}}"


def release(number: int, version: str) -> MsiRelease:
    return MsiRelease(version, guid(number), guid(number + 100), Artifact(f"{number:064x}", 1, "agent.msi"))


def decide(installed: str, wanted: str, *, known: bool = True):
    target, former = release(1, wanted), release(2, installed)
    goal = Goal("reconciler-agent", AGENT_UPGRADE_CODE, target, (former,) if known else ())
    product = InstalledProduct(
        former.product_code, installed, "Reconciler Agent", former.package_code, AGENT_UPGRADE_CODE
    )
    return converge(Assignment("H", "dev", "r1", (goal,)), Observation(products=(product,)), 0.0).step


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    ("installed", "wanted", "kind"),
    [
        ("1.0.0", "2.0.0", StepKind.MAJOR_UPGRADE),
        ("2.0.0", "1.0.0", StepKind.ROLL_BACK),
        ("1.0.0", "1.0.0", StepKind.REPLACE),
    ],
)
def test_it_is_one_install_whatever_was_there(installed, wanted, kind, known):
    step = decide(installed, wanted, known=known)
    assert step is not None
    assert step.kind is kind
    assert [action.verb for action in step.actions] == [Verb.INSTALL]
    assert step.compensation == ()
    assert step.removes == (guid(2),)
