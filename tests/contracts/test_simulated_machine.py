"""The simulated machine passes the suite that the Windows machine passes on a lab host."""

from __future__ import annotations

import hashlib
import tempfile
import time
from pathlib import Path

from reconciler.kernel.artifact import Artifact
from reconciler.kernel.releases import PatchRelease
from reconciler.testing.machine_contract import ContractPackages, MachineContract
from reconciler.testing.sample_packages import STRANGER, UPGRADE_CODE, Catalog, guid
from reconciler.testing.simulated_files import SimulatedPatch, write_simulated_msp
from reconciler.testing.simulated_machine import SimulatedMachine
from reconciler.testing.simulated_state import Fault


class TestSimulatedMachine(MachineContract):
    def setUp(self) -> None:
        self._root = Path(self.enterContext(tempfile.TemporaryDirectory()))
        simulated = SimulatedMachine(self._root / "machine.json")
        simulated.windows.put(STRANGER)
        catalog = Catalog()
        first = catalog.release("1.0.0", 1)
        fix, fix_file = SimulatedPatch(guid(5), (first.product_code,), removable=False), self._root / "fix.msp"
        fix_file.write_bytes(write_simulated_msp(fix))
        refusal = "This product needs the moon to be full."
        self.machine = simulated
        self.packages = ContractPackages(
            files={_artifact(fix_file).sha256: str(fix_file)},
            upgrade_code=UPGRADE_CODE,
            first=first,
            minor=catalog.release("1.0.1", 1),
            major=catalog.release("2.0.0", 2),
            refusing=catalog.release("3.0.0", 3, refuses=refusal),
            refusal=refusal,
            slow=catalog.release("0.1.0", 4),
            patch=PatchRelease("1.0.0.1", fix.patch_code, _artifact(fix_file), fix.targets),
        )
        for release in catalog.releases:
            path = self._root / release.artifact.file_name
            path.write_bytes(catalog.artifacts[release.artifact.sha256])
            self.packages.files[release.artifact.sha256] = str(path)
        simulated.windows.add_fault(Fault(self.packages.slow.product_code, seconds=1.5))
        super().setUp()

    def wait_until_slow_runs(self) -> None:
        deadline = time.monotonic() + 90
        while not list(self._root.glob("runs/*/claim")):
            assert time.monotonic() < deadline
            time.sleep(0.01)  # a file of another process: nothing to await

    def slow_runs(self) -> bool:
        """A simulated run lives as long as its process."""
        names = [claim.parent.name for claim in self._root.glob("runs/*/claim")]
        found = [self.machine.find(name) for name in names]
        return any(run is not None and not run.wait(0) for run in found)

    def let_slow_end(self) -> None:
        """It ends by itself."""


def _artifact(file: Path) -> Artifact:
    content = file.read_bytes()
    return Artifact(hashlib.sha256(content).hexdigest(), len(content), file.name)


del MachineContract  # pytest would run it by itself
