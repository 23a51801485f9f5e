"""Runs both halves of the conformance suite on a lab host, against `WindowsMachine`; prints the outcomes as JSON.

Copied to the host and run there by test_windows_machine.py; ``packages.json`` beside it describes the packages.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import time
import uuid
import winreg
from collections.abc import Callable
from pathlib import Path

from reconciler.agent.machine import Run
from reconciler.agent.windows.machine import WindowsMachine
from reconciler.agent.windows.process_list import list_processes
from reconciler.kernel.calls import Call, CallKind
from reconciler.kernel.probes import Probe, ProbeKind
from reconciler.kernel.releases import MsiRelease, PatchRelease
from reconciler.kernel.wire import decode
from reconciler.testing.machine_contract import ContractPackages, MachineContract

sys.path.insert(0, str(Path(__file__).parent))  # what lies beside this file on the host
from calls_of_windows import CallsOfWindows
from outcomes import outcomes_as_json

FOLDER = Path(sys.argv[1])
DESCRIBED = json.loads((FOLDER / "packages.json").read_text("utf-8"))
SPOOLER = r"C:\windows\system32\spoolsv.exe"
CBS = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending"
SESSION_MANAGER = r"SYSTEM\CurrentControlSet\Control\Session Manager"
RENAMES = "PendingFileRenameOperations"
MACHINE = WindowsMachine(FOLDER / "runs")


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class WindowsMachineContract(MachineContract):
    machine = MACHINE
    packages = ContractPackages(
        files=dict(DESCRIBED["files"]),
        upgrade_code=DESCRIBED["upgradeCode"],
        refusal=DESCRIBED["refusal"],
        patch=decode(PatchRelease, DESCRIBED["patch"]),
        **{name: decode(MsiRelease, release) for name, release in DESCRIBED["releases"].items()},
    )
    started = Path(DESCRIBED["started"])
    proceed = Path(DESCRIBED["proceed"])

    def setUp(self) -> None:
        super().setUp()
        self.started.parent.mkdir(exist_ok=True)
        self.started.unlink(missing_ok=True)
        self.proceed.unlink(missing_ok=True)
        self.others = {pid for pid, _, _ in list_processes()}

    def wait_until_slow_runs(self) -> None:
        wait_until(self.started.exists)

    def slow_runs(self) -> bool:
        return any(pid not in self.others for pid, _, _ in list_processes())

    def let_slow_end(self) -> None:
        self.proceed.touch()

    def test_another_installation_is_waited_for(self) -> None:
        """The mutex of Windows Installer's, held here, as Wine's installer never takes it."""
        held = ctypes.windll.kernel32.CreateMutexW(None, True, r"Global\_MSIExecute")
        try:
            call = Call(CallKind.REMOVE, self.packages.first.product_code, "REMOVE=ALL", seconds=3.0)
            running = self.machine.start(Run(f"contract-{uuid.uuid4().hex}", call))
            assert not running.wait(1.0)
            assert running.wait(90)
            result = running.result()
            assert result is not None
            assert (result.exit_code, running.log()) == (1618, "")
            assert "another installation" in result.message
            patient = Call(CallKind.REMOVE, call.subject, "REMOVE=ALL")
            running = self.machine.start(Run(f"contract-{uuid.uuid4().hex}", patient))
            assert not running.wait(1.0)
            ctypes.windll.kernel32.ReleaseMutex(held)
            assert running.wait(90)
            result = running.result()
            assert result is not None
            assert result.exit_code == 1605
        finally:
            ctypes.windll.kernel32.CloseHandle(held)


ORPHAN = "import time; time.sleep(600)  # left behind"
MAKES_ORPHANS = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {ORPHAN!r}])"


class WindowsCallContract(CallsOfWindows):
    machine = MACHINE
    folder = str(FOLDER)
    service = "ReconcilerContract"
    versioned = sys.executable
    version = DESCRIBED["pythonVersion"]

    @classmethod
    def setUpClass(cls) -> None:
        create = ["sc", "create", cls.service, "binPath=", SPOOLER, "start=", "demand"]
        subprocess.run(create, check=True, stdin=subprocess.DEVNULL, capture_output=True)
        Path(FOLDER, "orphans.py").write_text(MAKES_ORPHANS, encoding="utf-8")

    def setUp(self) -> None:
        self.others = {pid for pid, _, _ in list_processes()}

    def endless_command(self) -> str:
        return f'"{sys.executable}" -c "import time; time.sleep(600)"'

    def wait_until_endless_runs(self) -> None:
        wait_until(lambda: any(image == "cmd.exe" for image in self.new_images()))
        wait_until(lambda: self.new_images().count("python.exe") >= 2)

    def endless_runs(self) -> bool:
        return "python.exe" in self.new_images()

    def test_what_an_ended_process_has_left_behind_is_ended_too(self) -> None:
        """As the first part of many an installer does: nobody's child runs, and the run is not over."""
        running = self.begin(Call(CallKind.COMMAND, f"{self.leaves_behind()} & {self.endless_command()}"))
        wait_until(lambda: self.new_images().count("python.exe") >= 3)
        running.kill()
        assert running.wait(90)
        assert not self.endless_runs()

    def test_a_probe_that_takes_too_long_leaves_nothing_behind(self) -> None:
        """Its own time ends it, and not the agent."""
        line = f"{self.leaves_behind()} & {self.endless_command()}"
        assert self.ask(Probe(ProbeKind.COMMAND, line, seconds=5.0)) == ["timeout"]
        assert not self.endless_runs()

    def leaves_behind(self) -> str:
        return f'"{sys.executable}" "{FOLDER / "orphans.py"}"'

    def new_images(self) -> list[str]:
        return [image for pid, _, image in list_processes() if pid not in self.others]

    def ask_for_reboot(self, asked: bool) -> None:
        if asked:
            winreg.CreateKeyEx(
                winreg.HKEY_LOCAL_MACHINE, CBS, 0, winreg.KEY_WRITE | winreg.KEY_WOW64_64KEY
            ).Close()
        else:
            winreg.DeleteKeyEx(winreg.HKEY_LOCAL_MACHINE, CBS, winreg.KEY_WOW64_64KEY)

    def replace_at_boot(self, path: str) -> None:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, SESSION_MANAGER, 0, winreg.KEY_ALL_ACCESS) as key:
            if path:
                deleted = [r"\??\C:\Config.Msi\1.rbf", ""]
                replaced = [rf"\??\{path}.new", rf"!\??\{path}"]
                winreg.SetValueEx(key, RENAMES, 0, winreg.REG_MULTI_SZ, [*deleted, *replaced])
            else:
                winreg.DeleteValue(key, RENAMES)


sys.stdout.write(outcomes_as_json(WindowsMachineContract, WindowsCallContract))
