"""A lab host that is reached by WinRM passes the suite that every machine passes.

Two cases say less than those of the agent: an installer's own words come with its exit code where msi.dll is
asked, and by WinRM they stand in the log alone, where Wine does not write them.
"""

from __future__ import annotations

import pytest

from reconciler.hosts.winrm.commands import Commands
from reconciler.hosts.winrm.machine import WinRMMachine
from reconciler.kernel.steps import Verb
from reconciler.lab import Lab, LabHost
from reconciler.lab.processes import processes_of
from reconciler.testing import machine_contract
from reconciler.testing.machine_contract import ContractPackages
from reconciler.testing.waiting import eventually
from tests.system.conftest import ExamplePackages, MisbehavingReleases
from tests.system.contract_host import place, reached_by_winrm
from tests.system.outcomes import outcomes_of

CASES = sorted(name for name in dir(machine_contract.MachineContract) if name.startswith("test_"))


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


@pytest.fixture(scope="module")
def outcomes(
    lab: Lab, example_packages: ExamplePackages, misbehaving_releases: MisbehavingReleases
) -> dict[str, str]:
    """Run the suite on a host, once."""
    with reached_by_winrm(lab, "by-winrm") as (host, commands):
        placed = place(host, example_packages, misbehaving_releases)
        packages = ContractPackages(
            files=placed.files,
            upgrade_code=placed.upgrade_code,
            refusal="",
            patch=placed.patch,
            **placed.releases,
        )
        return outcomes_of(suite_for(commands, packages, host, misbehaving_releases))


@pytest.mark.exhaustive
@pytest.mark.timeout(900)  # the first case has the whole suite in its fixture
@pytest.mark.parametrize("case", CASES)
def test_contract(outcomes: dict[str, str], case: str) -> None:
    assert not outcomes[case], outcomes[case]
