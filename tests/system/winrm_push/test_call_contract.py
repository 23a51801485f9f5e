"""A lab host that is reached by WinRM passes the suite's second half too: commands, settings, services, probes.

Tools that Wine lacks are the lab's stand-ins: `reconciler.lab.winrm.stand_ins`.
"""

from __future__ import annotations

import pytest

from reconciler.hosts.winrm.commands import Commands
from reconciler.hosts.winrm.machine import WinRMMachine
from reconciler.kernel.configuration import RegistryType
from reconciler.lab import Lab, LabHost
from reconciler.lab.processes import processes_of
from reconciler.lab.template import PYTHON
from reconciler.testing import call_contract
from reconciler.testing.waiting import eventually
from tests.system import calls_of_windows
from tests.system.contract_host import reached_by_winrm
from tests.system.listening import listening
from tests.system.outcomes import outcomes_of

CASES = sorted(name for name in dir(call_contract.CallContract) if name.startswith("test_"))
ENDLESS = "import time; time.sleep(600)"
SPOOLER = r"C:\windows\system32\spoolsv.exe"
CBS = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending"
SESSION_MANAGER = r"SYSTEM\CurrentControlSet\Control\Session Manager"
RENAMES = "PendingFileRenameOperations"


def suite_for(commands: Commands, host: LabHost) -> type[call_contract.CallContract]:
    def on_host(*words: str) -> None:
        assert host.run(list(words)).exit_code == 0, words

    class WinRMCalls(calls_of_windows.CallsOfWindows):
        machine = WinRMMachine(commands)
        folder = r"C:\Contract"
        service = "ReconcilerContract"
        versioned = PYTHON
        version = "3.13.2150.1013"
        # Wine's reg knows no REG_QWORD, and its stand-in is slow: test_by_stand_ins.py sets one.
        values = tuple(value for value in call_contract.VALUES if value.type is not RegistryType.QWORD)

        @classmethod
        def setUpClass(cls) -> None:
            on_host("sc", "create", cls.service, "binPath=", SPOOLER, "start=", "demand")

        def open_port(self) -> str:
            port, _ = self.enterContext(listening(host))
            return str(port)

        def endless_command(self) -> str:
            return f'"{PYTHON}" -c "{ENDLESS}"'

        def wait_until_endless_runs(self) -> None:
            eventually(self.endless_runs)

        def endless_runs(self) -> bool:
            return any(
                ENDLESS in process.command[-1] and "python" in process.command[0].lower()
                for process in processes_of(host.prefix.directory)
            )

        def ask_for_reboot(self, asked: bool) -> None:
            on_host("reg", "add" if asked else "delete", CBS, "/f")

        def replace_at_boot(self, path: str) -> None:
            if path:
                entries = [r"\??\C:\Config.Msi\1.rbf", "", rf"\??\{path}.new", rf"!\??\{path}"]
                change = f"winreg.SetValueEx(key, {RENAMES!r}, 0, winreg.REG_MULTI_SZ, {entries!r})"
            else:
                change = f"winreg.DeleteValue(key, {RENAMES!r})"
            opened = f"winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, {SESSION_MANAGER!r}, 0, winreg.KEY_ALL_ACCESS)"
            on_host(PYTHON, "-c", f"import winreg; key = {opened}; {change}")

    return WinRMCalls


@pytest.fixture(scope="module")
def outcomes(lab: Lab) -> dict[str, str]:
    """Run the suite on a host, once."""
    with reached_by_winrm(lab, "calls-by-winrm") as (host, commands):
        return outcomes_of(suite_for(commands, host))


@pytest.mark.exhaustive
@pytest.mark.timeout(900)  # the first case has the whole suite in its fixture
@pytest.mark.parametrize("case", CASES)
def test_contract(outcomes: dict[str, str], case: str) -> None:
    assert not outcomes[case], outcomes[case]
