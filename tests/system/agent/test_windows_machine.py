"""The Windows machine passes, on a lab host, the suite that the simulated machine passes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import reconciler.testing
from reconciler.kernel.wire import encode
from reconciler.lab import Lab
from reconciler.lab.template import LAB_PROGRAM, PYTHON
from reconciler.testing import call_contract, machine_contract
from tests.system.contract_host import FOLDER, place

CASES = sorted(
    name
    for suite in (machine_contract.MachineContract, call_contract.CallContract)
    for name in dir(suite)
    if name.startswith("test_")
)
OF_WINDOWS = [
    "test_another_installation_is_waited_for",
    "test_what_an_ended_process_has_left_behind_is_ended_too",
    "test_a_probe_that_takes_too_long_leaves_nothing_behind",
]
PYTHON_VERSION = "3.13.2150.1013"
REFUSAL = "needs a newer version of Windows."
LIBRARY = LAB_PROGRAM + r"\lib\reconciler\testing"


@pytest.fixture(scope="module")
def outcomes(lab: Lab, example_packages, misbehaving_releases) -> dict[str, str]:
    """Run the suite on a host, once; the outcome of each case is empty or its traceback."""
    (host,) = lab.up(["contract"])
    try:
        host.install_agent({})
        placed = place(host, example_packages, misbehaving_releases)
        described = {
            "files": placed.files,
            "upgradeCode": placed.upgrade_code,
            "refusal": REFUSAL,
            "releases": {name: encode(release) for name, release in placed.releases.items()},
            "patch": encode(placed.patch),
            "pythonVersion": PYTHON_VERSION,
            "started": misbehaving_releases.started,
            "proceed": misbehaving_releases.proceed,
        }
        host.unix_path(rf"{FOLDER}\packages.json").write_text(json.dumps(described), encoding="utf-8")
        testing = Path(reconciler.testing.__file__).parent
        host.copy_in(testing / "__init__.py", rf"{LIBRARY}\__init__.py")
        for suite in ("machine_contract.py", "call_contract.py"):
            host.copy_in(testing / suite, rf"{LIBRARY}\{suite}")
        host.copy_in(Path(__file__).with_name("windows_machine_contract.py"), rf"{FOLDER}\suite.py")
        for shared in ("outcomes.py", "calls_of_windows.py"):
            host.copy_in(Path(__file__).parents[1] / shared, rf"{FOLDER}\{shared}")
        finished = host.run([PYTHON, rf"{FOLDER}\suite.py", FOLDER], timeout=600)
        assert finished.exit_code == 0, finished.stderr
        found: dict[str, str] = json.loads(finished.stdout)
        return found
    finally:
        host.remove()


@pytest.mark.timeout(900)  # the first case has the whole suite in its fixture
@pytest.mark.parametrize("case", [*CASES, *OF_WINDOWS])
def test_contract(outcomes: dict[str, str], case: str) -> None:
    assert outcomes[case] == ""
