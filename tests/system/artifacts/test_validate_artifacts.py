"""`validate --artifacts`: the files of the catalog's releases are what it says, signed by whom it says."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.artifacts import signatures
from reconciler.artifacts.msi_file import read_msi
from reconciler.artifacts.signatures import NoSignatureTool, carries_signature, signature_of
from reconciler.artifacts.store import ArtifactStore, describe
from reconciler.desired.catalog import Architecture, ReleaseDetails
from reconciler.desired.editing import new_package
from reconciler.desired.findings import Finding
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.releases import MsiRelease
from reconciler.kernel.signatures import Subject, Trust, refusal
from reconciler.lab.packages import plain_package
from reconciler.operations.validate_artifacts import validate_with_artifacts
from tests.system.artifacts.vendor import GRANTED, address_of
from tests.system.signing import SigningAuthority, can_stamp, tampered


def test_the_signer_of_a_signed_file(signed: Path, authority: SigningAuthority) -> None:
    signature = signature_of(signed, authority.roots)
    assert (signature.trust, signature.detail) == (Trust.HOLDS, "")
    assert signature.subject == Subject((("O", "Contoso/CN=Northwind Ltd"), ("CN", "Contoso Ltd")))
    assert refusal("CN=Contoso Ltd", signature) == ""
    for other in ("CN=Northwind Ltd", "CN=Contoso", "O=Contoso", "OU=Contoso Ltd", "Contoso Ltd"):
        assert refusal(other, signature)


def test_signatures_that_are_not_to_be_trusted(
    msi: Path, signed: Path, authority: SigningAuthority, tmp_path: Path
) -> None:
    cases = [
        (tampered(signed, tmp_path), authority.roots, Trust.CHANGED),
        (msi, authority.roots, Trust.NOT_SIGNED),
        (signed, None, Trust.UNTRUSTED),
        (authority.sign(msi, tmp_path / "own.msi", "self"), authority.roots, Trust.UNTRUSTED),
        (authority.sign(msi, tmp_path / "web.msi", "web"), authority.roots, Trust.NOT_FOR_CODE),
        (authority.sign(msi, tmp_path / "bare.msi", "bare"), authority.roots, Trust.NOT_FOR_CODE),
        (authority.sign(msi, tmp_path / "old.msi", "old"), authority.roots, Trust.EXPIRED),
        (tmp_path / "missing.msi", authority.roots, Trust.UNKNOWN),
    ]
    for file, roots, trust in cases:
        signature = signature_of(file, roots)
        assert signature.trust is trust, file
        assert refusal("CN=Contoso Ltd", signature)
        assert refusal("O=Contoso/CN=Northwind Ltd", signature)


def test_a_timestamp_outlives_the_certificate(msi: Path, authority: SigningAuthority, tmp_path: Path) -> None:
    """The certificates name a revocation list, as real ones do: it is not asked for."""
    if not can_stamp():
        pytest.skip("this osslsigncode makes no timestamps")
    ten_days_ago = time.time() - 10 * 86_400
    stamped = authority.sign(msi, tmp_path / "stamped.msi", "old", ten_days_ago)
    assert signature_of(stamped, authority.roots).trust is Trust.HOLDS
    fresh = authority.sign(msi, tmp_path / "fresh.msi", "vendor", ten_days_ago)
    assert signature_of(fresh, authority.roots).trust is Trust.HOLDS
    assert signature_of(stamped).trust is not Trust.HOLDS


def test_only_a_file_with_a_signature_carries_one(msi: Path, signed: Path, tmp_path: Path) -> None:
    assert not carries_signature(msi)
    assert carries_signature(signed)
    assert carries_signature(tampered(signed, tmp_path))


def test_a_missing_tool_is_named_with_what_installs_it(signed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signatures, "_TOOL", "osslsigncode-that-is-missing")
    with pytest.raises(NoSignatureTool, match="apt-get install"):
        signature_of(signed)


Checked = Callable[..., list[tuple[str, int, str]]]


@pytest.fixture
def checked(tmp_path: Path, authority: SigningAuthority) -> Checked:
    """Checks a catalog of one release; returns each finding's rule, line and message."""

    def check(
        release: MsiRelease,
        details: ReleaseDetails | None = None,
        upgrade_code: str = plain_package("tool", "1.2.0").upgrade_code,
        kept: ArtifactStore | None = None,
    ) -> list[tuple[str, int, str]]:
        folder = tmp_path / "environments"
        (folder / "catalog").mkdir(parents=True, exist_ok=True)
        (folder / "reconciler.yaml").write_text("version: 1\n")
        catalog = folder / "catalog" / "tool.yaml"
        catalog.write_text(new_package(upgrade_code, release, details))
        told: list[str] = []
        loaded = validate_with_artifacts(folder, None, kept, authority.roots, told.append, GRANTED)
        assert told == [f"tool {release.version}"]
        assert (loaded.state is None) == bool(loaded.findings)
        findings: tuple[Finding, ...] = loaded.findings
        assert all(finding.path == str(catalog) for finding in findings)
        return [(finding.rule.value, finding.line, finding.message) for finding in findings]

    return check


def release_of(file: Path, signer: str = "") -> MsiRelease:
    identity = read_msi(file)
    artifact = replace(describe(file), signer=signer)
    return MsiRelease(identity.version, identity.product_code, identity.package_code, artifact)


def test_a_file_that_is_as_declared(signed: Path, checked: Checked, tmp_path: Path) -> None:
    details = ReleaseDetails(Architecture.X64, (address_of(Path("/nowhere/tool.msi")), address_of(signed)))
    assert checked(release_of(signed, "CN=Contoso Ltd"), details) == []
    store = ArtifactStore(tmp_path / "artifacts")
    store.add(signed)
    assert checked(release_of(signed, "CN=Contoso Ltd"), replace(details, sources=()), kept=store) == []


def test_a_fourth_field_of_the_version_is_the_catalogs_own(msi: Path, checked: Checked) -> None:
    release = replace(release_of(msi), version="1.2.0.7")
    assert checked(release, ReleaseDetails(sources=(address_of(msi),))) == []


def test_a_file_that_is_not_at_hand(msi: Path, checked: Checked, tmp_path: Path) -> None:
    ((rule, line, _message),) = checked(release_of(msi))
    assert (rule, line) == ("missing-artifact", 8)
    other = tmp_path / "other.msi"
    other.write_bytes(msi.read_bytes() + b"x")
    ((rule, _, _),) = checked(release_of(msi), ReleaseDetails(sources=(address_of(other),)))
    assert rule == "missing-artifact"


def test_everything_that_differs_from_the_catalog_is_named_at_its_line(msi: Path, checked: Checked) -> None:
    wrong = "{12345678-0000-0000-0000-000000000000}"
    release = release_of(msi, "CN=Contoso Ltd")
    release = replace(release, version="1.3.0", product_code=wrong, package_code=wrong[:-2] + "1}")
    details = ReleaseDetails(Architecture.ARM64, (address_of(msi),))
    identity = read_msi(msi)
    assert checked(release, details, wrong) == [
        ("identity-mismatch", 4, f"the MSI's UpgradeCode is {identity.upgrade_code}; that of tool is {wrong}"),
        ("identity-mismatch", 4, "the MSI's version is 1.2.0"),
        ("identity-mismatch", 5, f"the MSI's productCode is {identity.product_code}"),
        ("identity-mismatch", 6, f"the MSI's packageCode is {identity.package_code}"),
        ("identity-mismatch", 7, "the MSI is for x64"),
        ("untrusted-signature", 14, "CN=Contoso Ltd should have signed the file, but it is not signed"),
    ]


def test_another_signer_than_declared(signed: Path, checked: Checked) -> None:
    details = ReleaseDetails(sources=(address_of(signed),))
    ((rule, _, message),) = checked(release_of(signed, "CN=Northwind Ltd"), details)
    assert rule == "untrusted-signature"
    assert "Contoso" in message


def test_a_kept_file_that_was_damaged(msi: Path, checked: Checked, tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "artifacts")
    store.add(msi)
    release = release_of(msi)
    kept = store.find(release.artifact.sha256)
    assert kept is not None
    kept.write_bytes(kept.read_bytes()[:-100])
    found = checked(release, kept=store)
    assert [(rule, line) for rule, line, _ in found] == [("artifact-mismatch", 8), ("artifact-mismatch", 9)]


def test_transforms_are_looked_at_too(msi: Path, checked: Checked, tmp_path: Path) -> None:
    no_transform = describe(msi)
    release = replace(
        release_of(msi),
        transforms=(
            Artifact(no_transform.sha256, no_transform.size, "a.mst"),
            Artifact("0" * 64, 1, "b.mst"),
        ),
    )
    details = ReleaseDetails(sources=(address_of(msi),), transform_sources=((address_of(msi),), ()))
    found = [(rule, message) for rule, _, message in checked(release, details)]
    assert found == [
        ("unreadable-artifact", "this is not a transform (.mst) of Windows Installer"),
        ("missing-artifact", "the file is neither among the installation's artifacts nor at a source"),
    ]


def test_a_file_that_is_no_msi(msi: Path, checked: Checked, tmp_path: Path) -> None:
    file = tmp_path / "tool.msi"
    file.write_bytes(b"MZ" + bytes(1000))
    release = replace(release_of(msi), artifact=describe(file))
    ((rule, _, message),) = checked(release, ReleaseDetails(sources=(address_of(file),)))
    assert (rule, message) == ("unreadable-artifact", "this is not a Windows Installer package")
