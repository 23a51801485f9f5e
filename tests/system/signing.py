"""A certificate authority for tests, and files that are signed with its certificates.

Its keys are RSA: Wine cannot check signatures made with elliptic curves.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CABINET = b"MSCF"
"""What a cabinet begins with."""

_CODE, _STAMPS = ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.TIME_STAMPING
_REVOCATION_LIST = x509.CRLDistributionPoints(
    [
        x509.DistributionPoint(
            [x509.UniformResourceIdentifier("http://127.0.0.1:9/list.crl")],
            relative_name=None,
            reasons=None,
            crl_issuer=None,
        )
    ]
)
"""As in real certificates; nobody answers there."""

_OIDS = {"cn": NameOID.COMMON_NAME, "o": NameOID.ORGANIZATION_NAME}


@dataclass(frozen=True, slots=True)
class SigningAuthority:
    """The authority, and the certificates that it gave: ``vendor`` is good, all others are not."""

    folder: Path

    @property
    def roots(self) -> Path:
        """The authority's own certificate."""
        return self.folder / "root.pem"

    def sign(self, file: Path, signed: Path, name: str = "vendor", stamped_at: float | None = None) -> Path:
        """Sign a file with the certificate ``name``; with a timestamp of ``stamped_at``, if that is given."""
        pair = ["-certs", self.folder / f"{name}.pem", "-key", self.folder / f"{name}.key"]
        if stamped_at is not None:
            pair += ["-TSA-certs", self.folder / "stamps.pem", "-TSA-key", self.folder / "stamps.key"]
            pair += ["-TSA-time", str(int(stamped_at))]
        subprocess.run(
            ["osslsigncode", "sign", *pair, "-h", "sha256", "-in", file, "-out", signed],
            check=True,
            capture_output=True,
        )
        return signed

    def certify(
        self,
        name: str,
        subject: dict[str, str],
        usage: x509.ObjectIdentifier | None = _CODE,
        issuer: str = "root",
        days: int = 30,
    ) -> None:
        """Give a certificate ``name``, which is good for ``days`` from now on, and names a revocation list."""
        key = rsa.generate_private_key(65537, 2048)
        signing, by = key, _name(subject)
        if name != issuer:
            loaded = serialization.load_pem_private_key((self.folder / f"{issuer}.key").read_bytes(), None)
            assert isinstance(loaded, rsa.RSAPrivateKey)
            signing = loaded
            by = x509.load_pem_x509_certificate((self.folder / f"{issuer}.pem").read_bytes()).subject
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(by, _name(subject), key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=60)).not_valid_after(now + timedelta(days=days))
        builder = builder.add_extension(x509.BasicConstraints(ca=name == issuer, path_length=None), critical=True)
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=usage == _STAMPS)
        if name != issuer:
            builder = builder.add_extension(_REVOCATION_LIST, critical=False)
        certificate = builder.sign(signing, hashes.SHA256())
        (self.folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (self.folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


def make_authority(folder: Path) -> SigningAuthority:
    """Make an authority with a certificate of each sort."""
    made = SigningAuthority(folder)
    made.certify("root", {"cn": "Test Root"}, None, days=3650)
    made.certify("vendor", {"o": "Contoso/CN=Northwind Ltd", "cn": "Contoso Ltd"})
    made.certify("renamed", {"o": "Contoso/CN=Northwind Ltd", "cn": "Contoso Software Ltd"})
    made.certify("web", {"o": "Contoso", "cn": "Contoso Ltd"}, ExtendedKeyUsageOID.SERVER_AUTH)
    made.certify("bare", {"o": "Contoso", "cn": "Contoso Ltd"}, None)
    made.certify("old", {"cn": "Contoso Ltd"}, days=-1)
    made.certify("stamps", {"cn": "Test Timestamps"}, _STAMPS)
    made.certify("self", {"cn": "Contoso Ltd"}, issuer="self")
    return made


def can_stamp() -> bool:
    """Return whether the osslsigncode that is installed can make timestamps by itself."""
    told = subprocess.run(["osslsigncode", "sign", "--help"], capture_output=True, text=True, check=False)
    return "-TSA-time" in told.stdout + told.stderr


def tampered(signed: Path, folder: Path) -> Path:
    """Change what a signed MSI installs, after it was signed. It is still an MSI that can be read."""
    changed = folder / f"tampered-{signed.name}"
    content = bytearray(signed.read_bytes())
    content[content.index(CABINET) + 60] ^= 1
    changed.write_bytes(content)
    return changed


def _name(parts: dict[str, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(_OIDS[key], value) for key, value in parts.items()])
