"""Finds out who signed a file, by asking osslsigncode. Judges nobody: the rule stands in the kernel.

The whole chain is checked, and that the file is as it was signed. Nothing is asked of the network, so revocation
is not looked up: what gets installed is named by its hash.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

import olefile  # type: ignore[import-untyped]
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.signatures import COMMON_NAME, ORGANISATION, Signature, Subject, Trust

TIMEOUT = 300.0
"""Seconds that a check may take."""

_TOOL = "osslsigncode"
INSTALL_HINT = f"as root: apt-get install -y {_TOOL}"
"""What installs the program that checks signatures."""

_SIGNATURE_STREAM = "\x05DigitalSignature"
_SERIAL = re.compile(r"^Signer's certificate:\n.*?^\s*Serial : ([0-9A-Fa-f]+)$", re.MULTILINE | re.DOTALL)
_ERRORS = (re.compile(r"Verify error: ?(.+)$", re.MULTILINE), re.compile(r"^\s*Error: (.+)$", re.MULTILINE))
"""How the tool says what is wrong with a chain: as all versions do, and as newer ones do as well."""

_KEYS = {NameOID.COMMON_NAME: COMMON_NAME, NameOID.ORGANIZATION_NAME: ORGANISATION}


class NoSignatureTool(ReconcilerError):
    """The program that checks signatures is missing here."""

    reference = "no-signature-tool"


def carries_signature(msi: Path) -> bool:
    """Return whether an MSI has a signature at all, whatever it is worth. Needs no program.

    Args:
        msi: a Windows Installer file that can be read.

    Source: learn.microsoft.com/windows/win32/msi/digital-signatures-and-windows-installer; the stream's name is
    that of [MS-CFB] files that SignTool has signed
    """
    with olefile.OleFileIO(msi) as ole:
        return bool(ole.exists(_SIGNATURE_STREAM))


def signature_of(file: Path, roots: Path | None = None) -> Signature:
    """Return what is known of a file's signature.

    Args:
        file: a file of Windows Installer, or a program.
        roots: a PEM file with the certificates that are trusted; without it, those of the system.

    Raises:
        NoSignatureTool: osslsigncode is not installed.
    """
    trusted = ["-CAfile", str(roots), "-TSA-CAfile", str(roots)] if roots is not None else []
    try:
        code, output = _run("verify", *_offline(), *trusted, "-in", str(file))
        trust, detail = (Trust.HOLDS, "") if code == 0 else _why(output)
        if trust is Trust.NOT_SIGNED:
            return Signature(trust)
        certificate = _certificate(file, output)
    except subprocess.TimeoutExpired:
        return Signature(Trust.UNKNOWN, None, f"it could not be checked within {TIMEOUT:.0f} s")
    if certificate is None:
        if trust is Trust.HOLDS:
            return Signature(Trust.UNKNOWN, None, "it does not tell which certificate it was made with")
        return Signature(trust, None, detail)
    if trust is not Trust.CHANGED and not _is_for_code(certificate):
        trust, detail = Trust.NOT_FOR_CODE, ""
    return Signature(trust, _subject(certificate), detail)


@lru_cache(maxsize=1)
def _offline() -> tuple[str, ...]:
    """Return the options by which the tool looks up no revocation.

    The newest have one that leaves it out; others ``-ignore-cdp``, which only fetches no list; old ones never
    fetch any.
    """
    _, told = _run("verify", "--help")
    return next(((option,) for option in ("-ignore-crl", "-ignore-cdp") if option in told), ())


def _why(output: str) -> tuple[Trust, str]:
    """Return why a signature does not hold, and the tool's own words."""
    if "MISMATCH" in output:
        return Trust.CHANGED, ""
    if "no signature" in output.lower():
        return Trust.NOT_SIGNED, ""
    error = next((found for pattern in _ERRORS if (found := pattern.search(output))), None)
    if error is None:
        return Trust.UNKNOWN, f"{_TOOL} verify does not say why"
    return (Trust.EXPIRED if "has expired" in error.group(1) else Trust.UNTRUSTED), error.group(1)


def _certificate(file: Path, output: str) -> x509.Certificate | None:
    """Return the certificate that a file was signed with; ``None`` where that cannot be told."""
    serial = _SERIAL.search(output)
    if serial is None:
        return None
    found = [c for c in _certificates(file) if c.serial_number == int(serial.group(1), 16)]
    return found[0] if len(found) == 1 else None


def _certificates(file: Path) -> list[x509.Certificate]:
    """Return the certificates in a file's signature, the signer's among them; none where it cannot be read."""
    with tempfile.TemporaryDirectory(prefix="reconciler-signature-") as folder:
        extracted = Path(folder, "signature.der")
        _run("extract-signature", "-in", str(file), "-out", str(extracted))
        try:
            return pkcs7.load_der_pkcs7_certificates(extracted.read_bytes())
        except (OSError, ValueError):
            return []


def _is_for_code(certificate: x509.Certificate) -> bool:
    """Return whether a certificate may sign code: authorities that are trusted certify web servers as well."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    return ExtendedKeyUsageOID.CODE_SIGNING in usage


def _subject(certificate: x509.Certificate) -> Subject:
    return Subject(tuple((_KEYS[part.oid], str(part.value)) for part in certificate.subject if part.oid in _KEYS))


def _run(*words: str) -> tuple[int, str]:
    try:
        done = subprocess.run(
            [_TOOL, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise NoSignatureTool(
            f"signatures are checked with {_TOOL}, which is missing", hint=INSTALL_HINT
        ) from error
    # Read apart: in one pipe, the lines of the one would break those of the other.
    return done.returncode, f"{done.stdout}\n{done.stderr}"
