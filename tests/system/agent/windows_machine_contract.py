"""Runs the machine contract on a lab host, against `WindowsMachine`; prints the outcome of each case as JSON.

Copied to the host and run there by test_windows_machine.py; ``packages.json`` beside it describes the packages.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
import unittest
from pathlib import Path

from reconciler.agent.windows.machine import WindowsMachine
from reconciler.kernel.releases import MsiRelease
from reconciler.kernel.wire import decode
from reconciler.testing.machine_contract import ContractPackages, MachineContract

FOLDER = Path(sys.argv[1])
DESCRIBED = json.loads((FOLDER / "packages.json").read_text("utf-8"))


class WindowsMachineContract(MachineContract):
    machine = WindowsMachine(FOLDER / "runs")
    packages = ContractPackages(
        files=dict(DESCRIBED["files"]),
        upgrade_code=DESCRIBED["upgradeCode"],
        refusal=DESCRIBED["refusal"],
        **{name: decode(MsiRelease, release) for name, release in DESCRIBED["releases"].items()},
    )
    started = Path(DESCRIBED["started"])
    proceed = Path(DESCRIBED["proceed"])

    def setUp(self) -> None:
        super().setUp()
        self.started.parent.mkdir(exist_ok=True)
        self.started.unlink(missing_ok=True)
        self.proceed.unlink(missing_ok=True)

    def wait_until_slow_runs(self) -> None:
        deadline = time.monotonic() + 30
        while not self.started.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def let_slow_end(self) -> None:
        self.proceed.touch()


class Outcomes(unittest.TestResult):
    def __init__(self) -> None:
        super().__init__()
        self.outcomes: dict[str, str] = {}

    def addSuccess(self, test: unittest.TestCase) -> None:
        self.outcomes[test.id().rpartition(".")[2]] = ""

    def addFailure(self, test: unittest.TestCase, error: object) -> None:
        self.outcomes[test.id().rpartition(".")[2]] = "".join(traceback.format_exception(error[1]))  # type: ignore[index]

    addError = addFailure


outcomes = Outcomes()
unittest.defaultTestLoader.loadTestsFromTestCase(WindowsMachineContract).run(outcomes)
sys.stdout.write(json.dumps(outcomes.outcomes))
