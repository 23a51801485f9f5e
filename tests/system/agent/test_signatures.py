"""Signatures on a lab host. Wine's WinVerifyTrust is asked what it can be trusted with; the rest is injected.

Of an MSI, Wine says that its signature holds, whatever was changed in it and whoever signed it: it looks only
whether there is a signature made with RSA, and whose. Of a program (PE) it checks the content as well.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.kernel.attempts import Outcome
from reconciler.kernel.signatures import Trust
from reconciler.lab import Lab
from reconciler.lab.packages import BuiltPackage
from reconciler.lab.template import PYTHON
from tests.system.agent.conftest import AgentHost
from tests.system.conftest import ExamplePackages
from tests.system.signing import SigningAuthority

FOLDER = r"C:\Signatures"
CODES = {
    0x80096010: Trust.CHANGED,
    0x800B0100: Trust.NOT_SIGNED,
    0x800B0101: Trust.EXPIRED,
    0x800B0109: Trust.UNTRUSTED,
    0x800B010C: Trust.REVOKED,
    0x800B0110: Trust.NOT_FOR_CODE,
    0x800B0111: Trust.DISTRUSTED,
    0x80096004: Trust.UNKNOWN,
}


@pytest.fixture(scope="module")
def told(
    lab: Lab,
    example_packages: ExamplePackages,
    authority: SigningAuthority,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    """What the script on the host prints."""
    msi = example_packages.get("contoso-viewer", "1.3.0").path
    signed = authority.sign(msi, tmp_path_factory.mktemp("signed") / "signed.msi")
    (host,) = lab.up(["signatures"])
    try:
        host.install_agent({})
        host.copy_in(msi, rf"{FOLDER}\plain.msi")
        host.copy_in(signed, rf"{FOLDER}\signed.msi")
        host.copy_in(Path(__file__).with_name("windows_signatures.py"), rf"{FOLDER}\script.py")
        finished = host.run([PYTHON, rf"{FOLDER}\script.py", FOLDER, json.dumps(list(CODES))])
        assert finished.exit_code == 0, finished.stderr
        printed: dict[str, Any] = json.loads(finished.stdout)
        return printed
    finally:
        host.remove()


def test_the_signers_name_is_read_from_the_verified_signature(told: dict[str, Any]) -> None:
    assert told["seen"]["signed.msi"] == ["holds", "", [["O", "Contoso/CN=Northwind Ltd"], ["CN", "Contoso Ltd"]]]
    trust, _, subject = told["seen"]["python.exe"]
    assert (trust, ["CN", "Python Software Foundation"] in subject) == ("holds", True)


def test_a_file_without_a_signature_and_a_changed_program_are_told_apart(told: dict[str, Any]) -> None:
    assert told["seen"]["plain.msi"] == ["notSigned", "0x800B0100", None]
    assert told["seen"]["damaged.exe"][0] == "changed"
    assert told["seen"]["missing.msi"][0] == "unknown"


def test_injected_answers_of_windows_are_understood(told: dict[str, Any]) -> None:
    """Injected at wintrust.dll."""
    found = {int(code, 16): (trust, detail) for code, (trust, detail, _) in told["injected"].items()}
    assert found == {code: (trust.value, f"0x{code:08X}") for code, trust in CODES.items()}


def test_windows_is_asked_without_window_and_without_network_and_lets_go_of_what_it_holds(
    told: dict[str, Any],
) -> None:
    """Injected at wintrust.dll: each check is followed by its close."""
    verify, close, no_window, no_revocation = 1, 2, 2, 0
    without_network = 0x10 | 0x1000
    assert [call[0] for call in told["calls"]] == [verify, close] * len(CODES)
    assert all(call[1:3] == [no_window, no_revocation] for call in told["calls"])
    assert all(call[3] & without_network == without_network for call in told["calls"])


def test_the_agent_installs_what_the_pinned_signer_has_signed_and_nothing_else(
    agent_host: AgentHost, example_packages: ExamplePackages, authority: SigningAuthority, tmp_path: Path
) -> None:
    def signed(version: str) -> BuiltPackage:
        package = example_packages.get("contoso-viewer", version)
        return replace(package, path=authority.sign(package.path, tmp_path / f"{version}.msi"))

    older, newer = signed("1.3.0"), signed("1.4.0.1")
    plain = example_packages.get("contoso-viewer", "1.4.0.1")
    agent_host.want(older, signer="CN=Contoso Ltd")
    agent_host.start_agent()
    assert agent_host.attempts(1)[0].outcome is Outcome.SUCCEEDED
    refused = [
        (newer, "CN=Northwind Ltd", "it is signed by O=Contoso/CN=Northwind Ltd, CN=Contoso Ltd; nothing was run"),
        (plain, "CN=Contoso Ltd", "it is not signed (0x800B0100); nothing was run"),
    ]
    for number, (package, signer, why) in enumerate(refused, 2):
        agent_host.want(package, older, revision=f"r{number}", signer=signer)
        attempt = agent_host.attempts(number)[-1]
        assert (attempt.outcome, attempt.actions) == (Outcome.ARTIFACT_REFUSED, ())
        assert f"{signer} should have signed the file, but {why}" in attempt.message
        assert agent_host.versions() == {older.source.product_code: "1.3.0"}
    agent_host.want(newer, older, revision="r4", signer="O=Contoso/CN=Northwind Ltd")
    assert agent_host.attempts(4)[-1].outcome is Outcome.SUCCEEDED
    assert agent_host.versions() == {newer.source.product_code: newer.source.version}
