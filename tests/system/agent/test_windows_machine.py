"""The Windows machine passes, on a lab host, the suite that the simulated machine passes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import reconciler.testing
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.releases import MsiRelease
from reconciler.kernel.wire import encode
from reconciler.lab import Lab
from reconciler.lab.packages import BuiltPackage
from reconciler.lab.template import LAB_PROGRAM, PYTHON
from reconciler.testing import call_contract, machine_contract

CASES = sorted(
    name
    for suite in (machine_contract.MachineContract, call_contract.CallContract)
    for name in dir(suite)
    if name.startswith("test_")
)
OF_WINDOWS = ["test_another_installation_is_waited_for"]
PYTHON_VERSION = "3.13.2150.1013"
FOLDER = r"C:\Contract"
REFUSAL = "needs a newer version of Windows."
LIBRARY = LAB_PROGRAM + r"\lib\reconciler\testing"


def release_of(package: BuiltPackage) -> MsiRelease:
    content = package.path.read_bytes()
    artifact = Artifact(hashlib.sha256(content).hexdigest(), len(content), package.source.file_name)
    return MsiRelease(package.source.version, package.source.product_code, package.source.package_code, artifact)


@pytest.fixture(scope="module")
def outcomes(lab: Lab, example_packages, misbehaving_releases) -> dict[str, str]:
    """Run the suite on a host, once; the outcome of each case is empty or its traceback."""
    (host,) = lab.up(["contract"])
    try:
        host.install_agent({})
        packages = {
            "first": example_packages.get("contoso-agent", "2.1.0"),
            "minor": example_packages.get("contoso-agent", "2.1.1"),
            "major": example_packages.get("contoso-agent", "3.0.0"),
            "refusing": misbehaving_releases.failing,
            "slow": misbehaving_releases.slow,
        }
        releases = {name: release_of(package) for name, package in packages.items()}
        files = {}
        for name, package in packages.items():
            files[releases[name].artifact.sha256] = rf"{FOLDER}\{name}\{package.source.file_name}"
            host.copy_in(package.path, files[releases[name].artifact.sha256])
        described = {
            "files": files,
            "upgradeCode": packages["first"].source.upgrade_code,
            "refusal": REFUSAL,
            "releases": {name: encode(release) for name, release in releases.items()},
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
        host.copy_in(Path(__file__).with_name("outcomes.py"), rf"{FOLDER}\outcomes.py")
        finished = host.run([PYTHON, rf"{FOLDER}\suite.py", FOLDER])
        assert finished.exit_code == 0, finished.stderr
        found: dict[str, str] = json.loads(finished.stdout)
        return found
    finally:
        host.remove()


@pytest.mark.timeout(900)  # the first case has the whole suite in its fixture
@pytest.mark.parametrize("case", [*CASES, *OF_WINDOWS])
def test_contract(outcomes: dict[str, str], case: str) -> None:
    assert outcomes[case] == ""
