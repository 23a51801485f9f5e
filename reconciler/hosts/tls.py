"""The server's own certificate authority, so that agents can pin it and nobody needs to buy a certificate."""

from __future__ import annotations

import datetime
import ipaddress
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_CA_DAYS = 3650
_SERVER_DAYS = 397
_RENEW_BEFORE = datetime.timedelta(days=30)


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """Where the files lie that a TLS server and its agents need."""

    ca: Path
    certificate: Path
    key: Path


def server_identity(folder: Path, names: Sequence[str], now: datetime.datetime) -> ServerIdentity:
    """Return the server's certificate, making it and its authority where they are missing.

    The authority is made once and kept: agents pin it. The server's certificate is made anew when it nears its
    end or lacks one of the names.

    Args:
        folder: where the files are kept, readable by the daemon's user alone.
        names: DNS names and addresses that agents reach the server by.
        now: the time, with its zone.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    identity = ServerIdentity(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    ca_key_file = folder / "ca.key"
    if identity.ca.exists() and ca_key_file.exists():
        ca = x509.load_pem_x509_certificate(identity.ca.read_bytes())
        ca_key = serialization.load_pem_private_key(ca_key_file.read_bytes(), None)
        assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
    else:
        ca_key = ec.generate_private_key(ec.SECP256R1())
        ca = _make_ca(ca_key, now)
        _write(ca_key_file, _private_pem(ca_key))
        _write(identity.ca, ca.public_bytes(serialization.Encoding.PEM))
    if not _still_good(identity, names, now):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _make_server(key, ca, ca_key, names, now)
        _write(identity.key, _private_pem(key))
        _write(identity.certificate, certificate.public_bytes(serialization.Encoding.PEM))
    return identity


def server_context(identity: ServerIdentity) -> ssl.SSLContext:
    """Return what a TLS server needs to shake hands: TLS 1.2 or later, and one handshake for each connection.

    A client that could have handshakes repeated would make the server do the costly part again and again.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.load_cert_chain(identity.certificate, identity.key)
    return context


def _still_good(identity: ServerIdentity, names: Sequence[str], now: datetime.datetime) -> bool:
    if not (identity.certificate.exists() and identity.key.exists()):
        return False
    certificate = x509.load_pem_x509_certificate(identity.certificate.read_bytes())
    held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return certificate.not_valid_after_utc - now > _RENEW_BEFORE and all(_general_name(n) in held for n in names)


def _make_ca(key: ec.EllipticCurvePrivateKey, now: datetime.datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Reconciler agents' authority")])
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        _builder(name, name, key.public_key(), now, _CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _make_server(
    key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    names: Sequence[str],
    now: datetime.datetime,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Reconciler")])
    return (
        _builder(subject, ca.subject, key.public_key(), now, _SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime.datetime, days: int
) -> x509.CertificateBuilder:
    """Start a certificate. It begins a day ago, for hosts whose clocks are behind."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    """Write a file whole, for this account alone. A draft that a crash left is deleted: its mode may be wider."""
    temporary = path.with_suffix(path.suffix + ".new")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(content)
    temporary.replace(path)
