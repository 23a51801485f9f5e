"""`validate --artifacts`: the files of the catalog's releases are what it says, signed by whom it says."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from reconciler.artifacts import signatures
from reconciler.artifacts.msi_file import read_msi
from reconciler.artifacts.signatures import NoSignatureTool, SignatureError, signer_of
from reconciler.artifacts.store import ArtifactStore, describe
from reconciler.desired.editing import new_package
from reconciler.desired.findings import Finding
from reconciler.desired.model import Architecture, ReleaseDetails
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.releases import MsiRelease
from reconciler.lab import LabUnavailable
from reconciler.lab.packages import build, plain_package
from reconciler.operations.validate_artifacts import validate_with_artifacts

NOW = datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority of the test's own, and the certificates that it gave."""

    folder: Path

    @property
    def roots(self) -> Path:
        """The authority's own certificate."""
        return self.folder / "root.pem"

    def sign(self, msi: Path, signed: Path, name: str = "vendor") -> Path:
        """Sign an MSI with the certificate ``name``."""
        pair = ("-certs", self.folder / f"{name}.pem", "-key", self.folder / f"{name}.key")
        subprocess.run(
            ["osslsigncode", "sign", *pair, "-h", "sha256", "-in", msi, "-out", signed],
            check=True,
            capture_output=True,
        )
        return signed


def certify(
    folder: Path, name: str, subject: x509.Name, usage: x509.ObjectIdentifier | None, issuer: str = "root"
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    signing, by = key, subject
    if name != issuer:
        loaded = serialization.load_pem_private_key((folder / f"{issuer}.key").read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        signing = loaded
        by = x509.load_pem_x509_certificate((folder / f"{issuer}.pem").read_bytes()).subject
    builder = x509.CertificateBuilder(by, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=30))
    builder = builder.add_extension(x509.BasicConstraints(ca=name == issuer, path_length=None), critical=True)
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    certificate = builder.sign(signing, hashes.SHA256())
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def named(**parts: str) -> x509.Name:
    oids = {"cn": NameOID.COMMON_NAME, "o": NameOID.ORGANIZATION_NAME}
    return x509.Name([x509.NameAttribute(oids[key], value) for key, value in parts.items()])


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    if shutil.which("osslsigncode") is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have osslsigncode", pytrace=False)
        pytest.skip("needs osslsigncode")
    folder = tmp_path_factory.mktemp("authority")
    code = ExtendedKeyUsageOID.CODE_SIGNING
    certify(folder, "root", named(cn="Test Root"), None)
    certify(folder, "vendor", named(o="Contoso/CN=Northwind Ltd", cn="Contoso Ltd"), code)
    certify(folder, "web", named(o="Contoso", cn="Contoso Ltd"), ExtendedKeyUsageOID.SERVER_AUTH)
    certify(folder, "bare", named(o="Contoso", cn="Contoso Ltd"), None)
    certify(folder, "self", named(cn="Contoso Ltd"), code, issuer="self")
    return Authority(folder)


@pytest.fixture(scope="session")
def msi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return build(plain_package("tool", "1.2.0"), tmp_path_factory.mktemp("msi")).path
    except LabUnavailable as error:
        if os.environ.get("CI"):
            pytest.fail(f"CI must have a lab. {error}", pytrace=False)
        pytest.skip(str(error))


@pytest.fixture
def signed(msi: Path, authority: Authority, tmp_path: Path) -> Path:
    return authority.sign(msi, tmp_path / "signed.msi")


def test_the_signer_of_a_signed_file(signed: Path, authority: Authority) -> None:
    signer = signer_of(signed, authority.roots)
    assert signer.is_named("CN=Contoso Ltd")
    assert signer.is_named("O=Contoso/CN=Northwind Ltd")
    for other in ("CN=Northwind Ltd", "CN=Contoso", "O=Contoso", "OU=Contoso Ltd", "Contoso Ltd"):
        assert not signer.is_named(other)


def test_signatures_that_are_not_to_be_trusted(
    msi: Path, signed: Path, authority: Authority, tmp_path: Path
) -> None:
    flipped = tmp_path / "flipped.msi"
    content = bytearray(signed.read_bytes())
    content[len(content) // 2] ^= 1
    flipped.write_bytes(content)
    web = authority.sign(msi, tmp_path / "web.msi", "web")
    bare = authority.sign(msi, tmp_path / "bare.msi", "bare")
    own = authority.sign(msi, tmp_path / "own.msi", "self")
    cases = [
        (flipped, authority.roots, "changed after it was signed"),
        (msi, authority.roots, "not signed"),
        (signed, None, "not trusted"),
        (own, authority.roots, "not trusted"),
        (web, authority.roots, "does not hold"),
        (bare, authority.roots, "not meant for code"),
        (tmp_path / "missing.msi", authority.roots, "does not hold"),
    ]
    for file, roots, complaint in cases:
        with pytest.raises(SignatureError, match=complaint):
            signer_of(file, roots)


def test_a_missing_tool_is_named_with_what_installs_it(signed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signatures, "_TOOL", "osslsigncode-that-is-missing")
    with pytest.raises(NoSignatureTool, match="apt-get install"):
        signer_of(signed)


Checked = Callable[..., list[tuple[str, int, str]]]


@pytest.fixture
def checked(tmp_path: Path, authority: Authority) -> Checked:
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
        loaded = validate_with_artifacts(folder, None, kept, authority.roots, told.append)
        assert told == [f"tool {release.version}"]
        assert (loaded.state is None) == bool(loaded.findings)
        findings: tuple[Finding, ...] = loaded.findings
        assert all(finding.path == str(catalog) for finding in findings)
        return [(finding.rule.value, finding.line, finding.message) for finding in findings]

    return check


def release_of(file: Path) -> MsiRelease:
    identity = read_msi(file)
    return MsiRelease(identity.version, identity.product_code, identity.package_code, describe(file))


def test_a_file_that_is_as_declared(signed: Path, checked: Checked, tmp_path: Path) -> None:
    details = ReleaseDetails(Architecture.X64, "CN=Contoso Ltd", ("/nowhere/tool.msi", str(signed)))
    assert checked(release_of(signed), details) == []
    store = ArtifactStore(tmp_path / "artifacts")
    store.add(signed)
    assert checked(release_of(signed), replace(details, sources=()), kept=store) == []


def test_a_fourth_field_of_the_version_is_the_catalogs_own(msi: Path, checked: Checked) -> None:
    release = replace(release_of(msi), version="1.2.0.7")
    assert checked(release, ReleaseDetails(sources=(str(msi),))) == []


def test_a_file_that_is_not_at_hand(msi: Path, checked: Checked, tmp_path: Path) -> None:
    ((rule, line, _message),) = checked(release_of(msi))
    assert (rule, line) == ("missing-artifact", 8)
    other = tmp_path / "other.msi"
    other.write_bytes(msi.read_bytes() + b"x")
    ((rule, _, _),) = checked(release_of(msi), ReleaseDetails(sources=(str(other),)))
    assert rule == "missing-artifact"


def test_everything_that_differs_from_the_catalog_is_named_at_its_line(msi: Path, checked: Checked) -> None:
    wrong = "{12345678-0000-0000-0000-000000000000}"
    release = replace(release_of(msi), version="1.3.0", product_code=wrong, package_code=wrong[:-2] + "1}")
    details = ReleaseDetails(Architecture.ARM64, "CN=Contoso Ltd", (str(msi),))
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
    details = ReleaseDetails(signer="CN=Northwind Ltd", sources=(str(signed),))
    ((rule, _, message),) = checked(release_of(signed), details)
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
    details = ReleaseDetails(sources=(str(msi),), transform_sources=((str(msi),), ()))
    found = [(rule, message) for rule, _, message in checked(release, details)]
    assert found == [
        ("unreadable-artifact", "this is not a transform (.mst) of Windows Installer"),
        ("missing-artifact", "the file is neither among the installation's artifacts nor at a source"),
    ]


def test_a_file_that_is_no_msi(msi: Path, checked: Checked, tmp_path: Path) -> None:
    file = tmp_path / "tool.msi"
    file.write_bytes(b"MZ" + bytes(1000))
    release = replace(release_of(msi), artifact=describe(file))
    ((rule, _, message),) = checked(release, ReleaseDetails(sources=(str(file),)))
    assert (rule, message) == ("unreadable-artifact", "this is not a Windows Installer package")
