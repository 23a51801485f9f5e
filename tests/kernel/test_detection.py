"""A program's version is found in a file's version or in a registry value, whatever the value's type."""

from __future__ import annotations

import pytest

from reconciler.agent.verification import is_there
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.assignment import Goal
from reconciler.kernel.kinds import find_packages
from reconciler.kernel.observation import Facts
from reconciler.kernel.probes import Answer, Probe, ProbeKind
from reconciler.kernel.releases import PackageKind, ProgramRelease
from reconciler.kernel.steps import StepKind

IN_FILE = Probe(ProbeKind.FILE_VERSION, r"C:\Program Files\Tool\tool.exe")
IN_REGISTRY = Probe(ProbeKind.REGISTRY, r"HKLM\SOFTWARE\Tool", "Version")


@pytest.mark.parametrize(
    ("detect", "answer", "installed", "kind"),
    [
        (IN_FILE, "2.0.0.0", "2.0.0.0", None),
        (IN_FILE, "1.9", "1.9", StepKind.UPGRADE),
        (IN_FILE, "absent", None, StepKind.INSTALL),
        (IN_REGISTRY, "REG_SZ:2.0", "2.0", None),
        (IN_REGISTRY, "REG_EXPAND_SZ: 1.9 ", "1.9", StepKind.UPGRADE),
        (IN_REGISTRY, "REG_SZ:3.0", "3.0", StepKind.ROLL_BACK),
        (IN_REGISTRY, "absent", None, StepKind.INSTALL),
    ],
)
def test_what_a_host_answers_is_compared_as_a_version(
    detect: Probe, answer: str, installed: str | None, kind: StepKind | None
) -> None:
    release = ProgramRelease("2.0", Artifact("0" * 64, 1, "tool.exe"), detect, uninstall="remove")
    facts = Facts(answers=(Answer(detect.key, answer),))
    found = find_packages([Goal("tool", "", release, kind=PackageKind.EXE)], facts)["tool"]
    assert found.installed == installed
    assert (found.step.kind if found.step is not None else None) == kind
    assert is_there(release, facts) == (kind is None)
