"""A lab host that is reached by WinRM passes the suite's second half too: commands, settings, services, probes.

What Wine cannot show is named in `UNSHOWN`, with where it is proven instead.
"""

from __future__ import annotations

import http.server
import socket
import threading
import unittest
from collections.abc import Iterator

import pytest

from reconciler.desired.access import Transport, WinRMAccess
from reconciler.hosts.winrm.commands import Commands
from reconciler.hosts.winrm.connection import Connection
from reconciler.hosts.winrm.machine import WinRMMachine
from reconciler.hosts.winrm.opening import open_protocol
from reconciler.hosts.winrm.target import Target
from reconciler.kernel.configuration import RegistryType
from reconciler.lab import Lab, LabHost
from reconciler.lab.processes import processes_of
from reconciler.lab.template import PYTHON
from reconciler.testing import call_contract
from reconciler.testing.waiting import eventually
from tests.system.winrm_push.case_outcomes import Outcomes

CASES = sorted(name for name in dir(call_contract.CallContract) if name.startswith("test_"))
UNSHOWN = {
    "test_a_file_version_is_told_in_four_numbers": (
        "no PowerShell: tests/hosts/winrm/test_questions.py::test_what_a_tool_writes_is_understood"
    ),
    "test_what_listens_is_found": (
        "netstat lists no listeners: tests/hosts/winrm/test_questions.py::test_what_a_tool_writes_is_understood"
    ),
    "test_a_service_is_set_up": (
        "sc has no config: tests/hosts/winrm/test_scripts.py::test_settings_are_set_and_leftovers_deleted"
    ),
    "test_a_disabled_service_is_not_started": (
        "no sc config: tests/hosts/winrm/test_scripts.py::test_a_service_that_is_gone_or_disabled_is_not_started"
    ),
}
"""What Wine's own tools lack, and the test of the texts that proves it instead; one that passes is a failure."""

ENDLESS = "import time; time.sleep(600)"
SPOOLER = r"C:\windows\system32\spoolsv.exe"
CBS = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending"
SESSION_MANAGER = r"SYSTEM\CurrentControlSet\Control\Session Manager"
RENAMES = "PendingFileRenameOperations"


class Answering(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(int(self.path.lstrip("/")))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def suite_for(commands: Commands, host: LabHost) -> type[call_contract.CallContract]:
    def on_host(*words: str) -> None:
        assert host.run(list(words)).exit_code == 0, words

    class WinRMCalls(call_contract.CallContract):
        machine = WinRMMachine(commands)
        folder = r"C:\Contract"
        service = "ReconcilerContract"
        versioned = PYTHON
        version = "3.13.2150.1013"
        # Wine's reg stores and shows no REG_QWORD: setting one by WinRM is proven nowhere yet.
        values = tuple(value for value in call_contract.VALUES if value.type is not RegistryType.QWORD)

        @classmethod
        def setUpClass(cls) -> None:
            on_host("sc", "create", cls.service, "binPath=", SPOOLER, "start=", "demand")

        def command(self, exit_code: int, says: str) -> str:
            return f"echo {says}& exit {exit_code}" if says else f"exit {exit_code}"

        def endless_command(self) -> str:
            return f'"{PYTHON}" -c "{ENDLESS}"'

        def wait_until_endless_runs(self) -> None:
            eventually(self.endless_runs)

        def endless_runs(self) -> bool:
            return any(
                ENDLESS in process.command[-1] and "python" in process.command[0].lower()
                for process in processes_of(host.prefix.directory)
            )

        def open_port(self) -> str:
            listener = self.enterContext(socket.create_server(("127.0.0.1", 0)))
            return str(listener.getsockname()[1])

        def serve(self, status: int) -> str:
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.addCleanup(server.server_close)
            self.addCleanup(server.shutdown)
            return f"http://127.0.0.1:{server.server_address[1]}/{status}"

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
def outcomes(lab: Lab) -> Iterator[dict[str, str]]:
    """Run the suite on a host, once; the outcome of each case is empty or its traceback."""
    (host,) = lab.up(["calls-by-winrm"])
    endpoint = host.start_winrm()
    patch = pytest.MonkeyPatch()
    patch.setenv("LAB_WINRM_PASSWORD", endpoint.settings.password)
    access = WinRMAccess(Transport.NTLM, endpoint.settings.user, "env:LAB_WINRM_PASSWORD")
    target = Target("CALLS-BY-WINRM", endpoint.url, access)
    connection = Connection("CALLS-BY-WINRM", lambda: open_protocol(target), lambda: None)
    try:
        suite = suite_for(Commands("CALLS-BY-WINRM", connection), host)
        found = Outcomes()
        unittest.defaultTestLoader.loadTestsFromTestCase(suite).run(found)
        yield found.found
    finally:
        connection.close()
        patch.undo()
        host.remove()


@pytest.mark.timeout(900)  # the first case has the whole suite in its fixture
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=pytest.mark.xfail(reason=UNSHOWN[case], strict=True)) if case in UNSHOWN else case
        for case in CASES
    ],
)
def test_contract(outcomes: dict[str, str], case: str) -> None:
    assert not outcomes[case], outcomes[case]
