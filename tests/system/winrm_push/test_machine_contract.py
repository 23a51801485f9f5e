"""A lab host that is reached by WinRM passes the suite that every machine passes.

Two cases say less than those of the agent: an installer's own words come with its exit code where msi.dll is
asked, and by WinRM they stand in the log alone, where Wine does not write them.
"""

from __future__ import annotations

import hashlib
import unittest
from collections.abc import Iterator

import pytest

from reconciler.desired.access import Transport, WinRMAccess
from reconciler.hosts.winrm.commands import Commands
from reconciler.hosts.winrm.connection import Connection
from reconciler.hosts.winrm.machine import WinRMMachine
from reconciler.hosts.winrm.opening import open_protocol
from reconciler.hosts.winrm.target import Target
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.releases import MsiRelease
from reconciler.kernel.steps import Verb
from reconciler.lab import Lab, LabHost
from reconciler.lab.packages import BuiltPackage
from reconciler.lab.processes import processes_of
from reconciler.testing import machine_contract
from reconciler.testing.machine_contract import ContractPackages
from reconciler.testing.waiting import eventually
from tests.system.conftest import ExamplePackages, MisbehavingReleases
from tests.system.winrm_push.case_outcomes import Outcomes

CASES = sorted(name for name in dir(machine_contract.MachineContract) if name.startswith("test_"))
FOLDER = r"C:\Contract"


def suite_for(
    commands: Commands, contract_packages: ContractPackages, host: LabHost, releases: MisbehavingReleases
) -> type[machine_contract.MachineContract]:
    started_file, proceed_file = host.unix_path(releases.started), host.unix_path(releases.proceed)
    started_file.parent.mkdir(exist_ok=True)

    class WinRMContract(machine_contract.MachineContract):
        machine = WinRMMachine(commands)
        packages = contract_packages

        def setUp(self) -> None:
            super().setUp()
            started_file.unlink(missing_ok=True)
            proceed_file.unlink(missing_ok=True)

        def wait_until_slow_runs(self) -> None:
            eventually(started_file.exists)

        def let_slow_end(self) -> None:
            proceed_file.touch()

        def slow_runs(self) -> bool:
            lines = (" ".join(process.command) for process in processes_of(host.prefix.directory))
            return any("msiexec" in line or "Lab Gate" in line for line in lines)

        def test_a_downgrade_is_refused(self) -> None:
            self.run_to_end(Verb.INSTALL, self.packages.major)
            assert self.run_to_end(Verb.INSTALL, self.packages.first)[0] == 1603
            assert self.added() == {self.product(self.packages.major)}

        def test_a_launch_condition_that_does_not_hold_is_told(self) -> None:
            assert self.run_to_end(Verb.INSTALL, self.packages.refusing)[0] == 1603
            assert "LaunchConditions" in self.last_run.log()
            assert self.added() == set()

    return WinRMContract


def release_of(package: BuiltPackage) -> MsiRelease:
    content = package.path.read_bytes()
    artifact = Artifact(hashlib.sha256(content).hexdigest(), len(content), package.source.file_name)
    return MsiRelease(package.source.version, package.source.product_code, package.source.package_code, artifact)


@pytest.fixture(scope="module")
def outcomes(
    lab: Lab, example_packages: ExamplePackages, misbehaving_releases: MisbehavingReleases
) -> Iterator[dict[str, str]]:
    """Run the suite on a host, once; the outcome of each case is empty or its traceback."""
    (host,) = lab.up(["by-winrm"])
    endpoint = host.start_winrm()
    patch = pytest.MonkeyPatch()
    patch.setenv("LAB_WINRM_PASSWORD", endpoint.settings.password)
    access = WinRMAccess(Transport.NTLM, endpoint.settings.user, "env:LAB_WINRM_PASSWORD")
    target = Target("BY-WINRM", endpoint.url, access)
    connection = Connection("BY-WINRM", lambda: open_protocol(target), lambda: None)
    try:
        packages = _put(host, example_packages, misbehaving_releases)
        suite = suite_for(Commands("BY-WINRM", connection), packages, host, misbehaving_releases)
        found = Outcomes()
        unittest.defaultTestLoader.loadTestsFromTestCase(suite).run(found)
        yield found.found
    finally:
        connection.close()
        patch.undo()
        host.remove()


def _put(host: LabHost, examples: ExamplePackages, misbehaving: MisbehavingReleases) -> ContractPackages:
    packages = {
        "first": examples.get("contoso-agent", "2.1.0"),
        "minor": examples.get("contoso-agent", "2.1.1"),
        "major": examples.get("contoso-agent", "3.0.0"),
        "refusing": misbehaving.failing,
        "slow": misbehaving.slow,
    }
    releases = {name: release_of(package) for name, package in packages.items()}
    files = {}
    for name, package in packages.items():
        files[releases[name].artifact.sha256] = rf"{FOLDER}\{name}\{package.source.file_name}"
        host.copy_in(package.path, files[releases[name].artifact.sha256])
    return ContractPackages(
        files=files, upgrade_code=packages["first"].source.upgrade_code, refusal="", **releases
    )


@pytest.mark.timeout(900)  # the first case has the whole suite in its fixture
@pytest.mark.parametrize("case", CASES)
def test_contract(outcomes: dict[str, str], case: str) -> None:
    assert not outcomes[case], outcomes[case]
