"""Checks who signed an MSI, by asking osslsigncode. Trusts no signature that does not lead to a trusted root.

The whole chain is checked, and that the file is as it was signed. Revocation is not looked up: what gets installed
is named by its hash, and the host's own policy has the last word.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from reconciler.kernel.errors import ReconcilerError

TIMEOUT = 300.0
"""Seconds that a check may take."""

_TOOL = "osslsigncode"
_SERIAL = re.compile(r"^Signer's certificate:\n.*?^\s*Serial : ([0-9A-Fa-f]+)$", re.MULTILINE | re.DOTALL)
_ERROR = re.compile(r"^\s*Error: (.+)$", re.MULTILINE)
_KEYS = {"CN": NameOID.COMMON_NAME, "O": NameOID.ORGANIZATION_NAME}


class SignatureError(ReconcilerError):
    """A file that is not signed, or not in a way that can be trusted."""

    reference = "signature"


class NoSignatureTool(ReconcilerError):
    """The program that checks signatures is missing here."""

    reference = "no-signature-tool"


@dataclass(frozen=True, slots=True)
class Signer:
    """Whom a trusted certificate names."""

    subject: x509.Name

    def is_named(self, text: str) -> bool:
        """Return whether ``text`` (``CN=…`` or ``O=…``) names this signer, to the letter."""
        key, _, value = text.partition("=")
        return key in _KEYS and value in (part.value for part in self.subject.get_attributes_for_oid(_KEYS[key]))

    def __str__(self) -> str:
        return self.subject.rfc4514_string()


def signer_of(file: Path, roots: Path | None = None) -> Signer:
    """Return who signed a file.

    Args:
        file: an MSI.
        roots: a PEM file with the certificates that are trusted; without it, those of the system.

    Raises:
        SignatureError: it is not signed, was changed since, or its signer is not trusted.
        NoSignatureTool: osslsigncode is not installed.
    """
    trusted = ["-CAfile", str(roots), "-TSA-CAfile", str(roots)] if roots is not None else []
    code, output = _run("verify", "-ignore-cdp", *trusted, "-in", str(file))
    if code != 0:
        raise SignatureError(_why(output), where=str(file))
    serial = _SERIAL.search(output)
    certificates = _certificates(file) if serial is not None else []
    found = [c for c in certificates if serial is not None and c.serial_number == int(serial.group(1), 16)]
    if len(found) != 1:
        raise SignatureError("its signature does not tell which certificate it was made with", where=str(file))
    if not _is_for_code(found[0]):
        raise SignatureError("it was signed with a certificate that is not meant for code", where=str(file))
    return Signer(found[0].subject)


def _is_for_code(certificate: x509.Certificate) -> bool:
    """Return whether a certificate may sign code: authorities that are trusted certify web servers as well."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    return ExtendedKeyUsageOID.CODE_SIGNING in usage


def _certificates(file: Path) -> list[x509.Certificate]:
    """Return the certificates in a file's signature, the signer's among them."""
    with tempfile.TemporaryDirectory(prefix="reconciler-signature-") as folder:
        extracted = Path(folder, "signature.der")
        _run("extract-signature", "-in", str(file), "-out", str(extracted))
        try:
            return pkcs7.load_der_pkcs7_certificates(extracted.read_bytes())
        except (OSError, ValueError) as error:
            raise SignatureError(f"its signature cannot be read: {error}", where=str(file)) from error


def _why(output: str) -> str:
    """Return in a sentence why a signature does not hold."""
    if "MISMATCH" in output:
        return "it was changed after it was signed"
    if "no signature" in output:
        return "it is not signed"
    error = _ERROR.search(output)
    if error is not None:
        return f"its signer is not trusted: {error.group(1)}"
    return f"its signature does not hold, and {_TOOL} verify does not say why"


def _run(*words: str) -> tuple[int, str]:
    try:
        done = subprocess.run(
            [_TOOL, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT,
            check=False,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        hint = f"as root: apt-get install -y {_TOOL}"
        raise NoSignatureTool(f"signatures are checked with {_TOOL}, which is missing", hint=hint) from error
    except subprocess.TimeoutExpired as error:
        raise SignatureError(f"its signature could not be checked within {TIMEOUT:.0f} s") from error
    return done.returncode, done.stdout
