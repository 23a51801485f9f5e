"""The real agent on a lab host: a release with a transform, and patches, with a real Windows Installer."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from reconciler.artifacts.installer_files import read_patch, read_transform
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.assignment import Assignment, Goal
from reconciler.kernel.attempts import Outcome
from reconciler.kernel.observation import InstalledPatch
from reconciler.kernel.protocol import goal_fingerprint
from reconciler.kernel.releases import MsiRelease, PackageKind, PatchRelease
from reconciler.kernel.steps import StepKind, Verb
from reconciler.lab.packages import PackageSource
from tests.system.agent.conftest import AgentHost, release_of
from tests.system.installer_deltas import Change, make_patch, make_transform

PATCH = "{A34F5150-9C3E-4B5E-8C4A-2A5E8D3B7A11}"


@dataclass
class Fleet:
    """A host, its product of which the installer writes a site's name into the registry, and files made for it."""

    agent_host: AgentHost
    product: MsiRelease
    source: PackageSource
    site_row: str
    folder: Path

    def keep(self, file: Path) -> Artifact:
        """Let the server hand a file out."""
        content = file.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        self.agent_host.server.artifacts[sha256] = content
        return Artifact(sha256, len(content), file.name)

    def patch(self, removable: bool) -> PatchRelease:
        """Return a patch that gives the site another name."""
        metadata = {"AllowRemoval": "1" if removable else "0", "DisplayName": "Another site"}
        changes = [Change("Registry", self.site_row, 5, "patched")]
        file = make_patch(self.folder / "site.msp", PATCH, self.source, changes, metadata)
        told = read_patch(file)
        assert (told.patch_code, told.removable) == (PATCH, removable)
        return PatchRelease("2.1.0.1", PATCH, self.keep(file), told.product_codes, told.removable)

    def want(self, revision: str, product: MsiRelease, patches: Goal | None = None) -> None:
        goals = [Goal("contoso-agent", self.source.upgrade_code, product), *([patches] if patches else [])]
        known = tuple(replace(goal, fingerprint=goal_fingerprint(goal)) for goal in goals)
        self.agent_host.server.assign(Assignment("AGENT-01", "dev", revision, known))

    def site(self) -> str:
        """What the installer has written."""
        told = self.agent_host.host.run(r"reg query HKLM\Software\Contoso\Agent /v Site /reg:64").stdout
        return told.split("    ")[-1].strip()

    def patches(self) -> tuple[InstalledPatch, ...]:
        """The patches that the host last reported."""
        return self.agent_host.server.reports[-1].observation.patches


@pytest.fixture
def fleet(agent_host, example_packages, tmp_path) -> Fleet:
    package = example_packages.get("contoso-agent", "2.1.0")
    export = subprocess.run(
        ["msiinfo", "export", package.path, "Registry"], check=True, capture_output=True, text=True
    )
    (row,) = (line.split("\t")[0] for line in export.stdout.splitlines() if "[SITE]" in line)
    fleet = Fleet(agent_host, release_of(package), package.source, row, tmp_path)
    fleet.keep(package.path)
    return fleet


def test_a_release_is_installed_with_its_transform(fleet: Fleet) -> None:
    file = make_transform(fleet.folder / "plant-7.mst", fleet.source, [Change("Property", "SITE", 2, "plant-7")])
    assert read_transform(file).product_code == fleet.source.product_code
    fleet.want("r1", replace(fleet.product, transforms=(fleet.keep(file),)))
    fleet.agent_host.start_agent()
    (attempt,) = fleet.agent_host.attempts(1)
    assert (attempt.outcome, attempt.message) == (Outcome.SUCCEEDED, "")
    assert fleet.site() == "plant-7"


def test_a_patch_is_applied_and_its_product_installed_anew_to_be_rid_of_it(fleet: Fleet) -> None:
    patch = fleet.patch(removable=False)
    wanted = Goal("contoso-agent-fix", "", patch, kind=PackageKind.MSP)
    fleet.want("r1", fleet.product, wanted)
    fleet.agent_host.start_agent()
    installed, applied = fleet.agent_host.attempts(2)
    assert (installed.kind, installed.outcome) == (StepKind.INSTALL, Outcome.SUCCEEDED)
    assert (applied.kind, applied.outcome, applied.message) == (StepKind.PATCH, Outcome.SUCCEEDED, "")
    assert fleet.site() == "patched"
    assert fleet.patches() == (InstalledPatch(PATCH, fleet.source.product_code, removable=False),)

    fleet.want("r2", fleet.product, replace(wanted, target=None, others=(patch,)))
    removed = fleet.agent_host.attempts(3)[-1]
    assert (removed.kind, removed.outcome) == (StepKind.REMOVE, Outcome.SUCCEEDED)
    assert [action.verb for action in removed.actions] == [Verb.REMOVE, Verb.INSTALL]
    assert fleet.site() == "unassigned"
    assert fleet.patches() == ()


def test_a_patch_that_was_said_to_be_taken_off_and_is_still_there_is_not_believed(fleet: Fleet) -> None:
    """Wine's installer returns 0, and takes none off."""
    patch = fleet.patch(removable=True)
    wanted = Goal("contoso-agent-fix", "", patch, kind=PackageKind.MSP)
    fleet.want("r1", fleet.product, wanted)
    fleet.agent_host.start_agent()
    fleet.agent_host.attempts(2)
    fleet.want("r2", fleet.product, replace(wanted, target=None, others=(patch,)))
    attempt = fleet.agent_host.attempts(3)[-1]
    assert [action.verb for action in attempt.actions] == [Verb.UNPATCH]
    assert (attempt.outcome, attempt.actions[0].exit_code) == (Outcome.NOT_CONFIRMED, 0)
    assert (fleet.site(), len(fleet.patches())) == ("patched", 1)
