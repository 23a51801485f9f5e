"""Certificates for TLS, of hosts and of those who sign in there."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LAB_ADDRESSES = tuple(x509.IPAddress(ip_address(f"127.0.1.{number}")) for number in range(2, 255))
"""Every address that a lab host may get."""

_PEM = serialization.Encoding.PEM
_PRINCIPAL_NAME = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")

_NO_USAGE = dict.fromkeys(
    (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    ),
    False,
)
_AUTHORITY_USAGE = x509.KeyUsage(**_NO_USAGE | {"key_cert_sign": True, "crl_sign": True})
_BEARER_USAGE = x509.KeyUsage(**_NO_USAGE | {"digital_signature": True})


def principal(name: str) -> x509.OtherName:
    """The alternative name by which Windows knows whose certificate it is: a UTF8String in DER."""
    return x509.OtherName(_PRINCIPAL_NAME, bytes([0x0C, len(name)]) + name.encode())


@dataclass
class Authority:
    """Gives certificates; ``file`` has its own, as those want it who trust it."""

    folder: Path
    name: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        self.file = self.folder / f"{self.name}.pem"
        own = self._builder(self.name, self.key, _AUTHORITY_USAGE, signs=True)
        self.file.write_bytes(own.sign(self.key, hashes.SHA256()).public_bytes(_PEM))

    def give(self, to: str, *names: x509.GeneralName) -> Path:
        """Give a certificate to the bearer of these names; return a file with it and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(to, key, _BEARER_USAGE, signs=False).add_extension(
            x509.SubjectAlternativeName(names), critical=False
        )
        private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        file = self.folder / f"{to}.pem"
        file.write_bytes(private + builder.sign(self.key, hashes.SHA256()).public_bytes(_PEM))
        return file

    def _builder(
        self, to: str, key: ec.EllipticCurvePrivateKey, usage: x509.KeyUsage, *, signs: bool
    ) -> x509.CertificateBuilder:
        """Begin a certificate, with all that a strict verifier wants to see in it."""
        subject, issuer = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, n)]) for n in (to, self.name))
        builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
        by = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return (
            builder.not_valid_before(now - day)
            .not_valid_after(now + day)
            .add_extension(x509.BasicConstraints(ca=signs, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(by, critical=False)
        )
