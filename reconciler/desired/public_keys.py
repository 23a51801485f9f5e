"""Tells public keys apart by their fingerprints. Verifies nothing.

Source: RFC 4253 section 6.6 (the form of SSH keys), RFC 9580 (OpenPGP)
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from reconciler.kernel.errors import ReconcilerError

PGP_BEGIN = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
"""How an OpenPGP key in armor begins."""

_SSH_TYPES = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
_HINT = "give the line of a .pub file as ssh-keygen makes it, or what gpg --armor --export prints"


class UnusableKey(ReconcilerError):
    """A text that is no public key which signatures could be held against."""

    reference = "unusable-key"


def key_identity(text: str) -> str:
    """Return what a key is called in evidence: ``key:`` and its fingerprint, as ssh-keygen and gpg print it.

    Args:
        text: an SSH public key as a line, or an OpenPGP one in armor.

    Raises:
        UnusableKey: it is neither.
    """
    if text.strip().startswith(PGP_BEGIN):
        return f"key:{_pgp_fingerprint(text)}"
    return f"key:{ssh_fingerprint(_ssh_blob(text))}"


def ssh_fingerprint(blob: bytes) -> str:
    """Return the fingerprint of an SSH key in its binary form, such as ``SHA256:…``."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode("ascii").rstrip("=")


def _ssh_blob(text: str) -> bytes:
    words = text.split()
    if len(words) < 2 or words[0] not in _SSH_TYPES or "\n" in text.strip():
        raise UnusableKey("this is no public key", hint=_HINT)
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnusableKey("this public key is damaged: it is not base64", hint=_HINT) from error
    kind = words[0].encode("ascii")
    if not blob.startswith(len(kind).to_bytes(4, "big") + kind):
        raise UnusableKey(f"this public key is damaged: it is no {words[0]} key", hint=_HINT)
    return blob


def _pgp_fingerprint(text: str) -> str:
    from pysequoia import Cert

    try:
        return str(Cert.from_bytes(text.encode("utf-8")).fingerprint).upper()
    except Exception as error:  # the library has no class of its own for this
        told = str(error).partition("\n")[0]
        raise UnusableKey(f"this OpenPGP key is damaged: {told}", hint=_HINT) from error
