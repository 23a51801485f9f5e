"""A release with a transform, installed over WinRM by a real Windows Installer on a lab host."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from reconciler.agent.machine import Run
from reconciler.hosts.winrm.machine import WinRMMachine
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.calls import call_of
from reconciler.kernel.steps import Action, Verb
from reconciler.lab import Lab
from tests.system.conftest import ExamplePackages
from tests.system.contract_host import reached_by_winrm, release_of
from tests.system.installer_deltas import Change, make_transform

MSI, MST = r"C:\In place\agent.msi", r"C:\In place\plant 7.mst"


def test_a_release_is_installed_with_its_transform(
    lab: Lab, example_packages: ExamplePackages, tmp_path: Path
) -> None:
    package = example_packages.get("contoso-agent", "2.1.0")
    transform = make_transform(tmp_path / "plant.mst", package.source, [Change("Property", "SITE", 2, "plant-7")])
    release = replace(release_of(package), transforms=(Artifact("0" * 64, 1, "plant.mst"),))
    action = Action(Verb.INSTALL, release.product_code, release.version, release)
    call = call_of(action, {release.artifact.sha256: MSI, "0" * 64: MST})
    with reached_by_winrm(lab, "by-winrm") as (host, commands):
        host.copy_in(package.path, MSI)
        host.copy_in(transform, MST)
        running = WinRMMachine(commands).start(Run("0-transformed", call))
        assert running.wait(180)
        result = running.result()
        assert result is not None
        assert result.exit_code == 0
        told = commands.run(r"reg query HKLM\Software\Contoso\Agent /v Site /reg:64").output
        assert told.split("    ")[-1].strip() == "plant-7"
