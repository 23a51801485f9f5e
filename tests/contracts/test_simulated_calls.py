"""The simulated machine passes the second half of the suite that the Windows machine passes on a lab host."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from reconciler.kernel.calls import CallKind
from reconciler.kernel.probes import Probe, ProbeKind
from reconciler.testing.call_contract import CallContract
from reconciler.testing.simulated_machine import SimulatedMachine
from reconciler.testing.simulated_state import Fault, SimulatedCommand
from reconciler.testing.simulated_windows import REBOOT_SIGNAL
from reconciler.testing.waiting import eventually

ENDLESS = "endless"


class TestSimulatedCalls(CallContract):
    folder = r"C:\Contract"
    service = "Contract"
    versioned = r"C:\Contract\versioned.dll"
    version = "2.1.0.7"

    def setUp(self) -> None:
        self._root = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.machine = SimulatedMachine(self._root / "machine.json")
        self._windows = self.machine.windows
        self._windows.set_answer(Probe(ProbeKind.SERVICE, self.service), "stopped manual")
        self._windows.set_answer(Probe(ProbeKind.FILE_VERSION, self.versioned), self.version)

    def command(self, exit_code: int, says: str) -> str:
        line = f"{says or 'nothing'}-{exit_code}.exe"
        self._windows.add_command(SimulatedCommand(line, exit_code, message=says))
        return line

    def endless_command(self) -> str:
        self._windows.add_command(SimulatedCommand(ENDLESS, seconds=600.0))
        self._windows.add_fault(Fault(ENDLESS, CallKind.COMMAND, seconds=600.0))
        return ENDLESS

    def wait_until_endless_runs(self) -> None:
        eventually(self.endless_runs)

    def endless_runs(self) -> bool:
        """A simulated run lives as long as its process."""
        claims = list(self._root.glob("runs/*/claim"))
        return any(
            (found := self.machine.find(claim.parent.name)) is not None and not found.wait(0) for claim in claims
        )

    def open_port(self) -> str:
        self._windows.set_answer(Probe(ProbeKind.PORT, "8080"), "open")
        return "8080"

    def serve(self, status: int) -> str:
        address = f"http://127.0.0.1:8080/{status}"
        self._windows.set_answer(Probe(ProbeKind.HTTP, address), str(status))
        return address

    def ask_for_reboot(self, asked: bool) -> None:
        self._windows.change(lambda state: replace(state, reboot_pending=(REBOOT_SIGNAL,) if asked else ()))

    def replace_at_boot(self, path: str) -> None:
        self._windows.change(lambda state: replace(state, pending_renames=(path,) if path else ()))


del CallContract  # pytest would run it by itself
