"""Who signed a file, and whether that is whom the catalog names. Pure: looks at no file.

The same rule holds on the server, which asks osslsigncode, and on a host, which asks Windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

COMMON_NAME: Final = "CN"
ORGANISATION: Final = "O"


class Trust(StrEnum):
    """What a check of a file's signature came to. Only the first means that it can be relied on."""

    HOLDS = "holds"
    NOT_SIGNED = "notSigned"
    CHANGED = "changed"
    UNTRUSTED = "untrusted"
    EXPIRED = "expired"
    REVOKED = "revoked"
    DISTRUSTED = "distrusted"
    NOT_FOR_CODE = "notForCode"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a certificate names: its common names (``CN``) and organisations (``O``), in order."""

    attributes: tuple[tuple[str, str], ...] = ()

    def is_named(self, pin: str) -> bool:
        """Return whether ``pin`` (``CN=…`` or ``O=…``) names this one, to the letter."""
        key, _, value = pin.partition("=")
        return (key, value) in self.attributes

    @property
    def pin(self) -> str:
        """What the catalog should call it: the common name, else the organisation; empty where none is plain."""
        for wanted in (COMMON_NAME, ORGANISATION):
            found = [value for key, value in self.attributes if key == wanted and _is_plain(value)]
            if found:
                return f"{wanted}={found[-1]}"
        return ""

    def __str__(self) -> str:
        return ", ".join(f"{key}={value}" for key, value in self.attributes) or "somebody without a name"


@dataclass(frozen=True, slots=True)
class Signature:
    """What is known of a file's signature.

    ``subject`` is ``None`` where it has none that can be read. ``detail`` is what the check itself said, such as
    the code of Windows; empty where that adds nothing.
    """

    trust: Trust
    subject: Subject | None = None
    detail: str = ""


def signature_of(status: int, subject: Subject | None) -> Signature:
    """Return what an answer of WinVerifyTrust means.

    Args:
        status: the HRESULT, without sign.
        subject: whom the certificate names that the file was signed with.

    Source: learn.microsoft.com/windows/win32/com/com-error-codes-4
    """
    return Signature(_TRUST.get(status, Trust.UNKNOWN), subject, f"0x{status:08X}" if status else "")


def refusal(pin: str, signature: Signature) -> str:
    """Return why a file must not be run, in a sentence for an operator; empty where it may.

    Args:
        pin: who must have signed it, ``CN=…`` or ``O=…``; empty where it need not be signed.
        signature: what is known of its signature.
    """
    if not pin:
        return ""
    if signature.trust is not Trust.HOLDS:
        return f"{pin} should have signed the file, but {shortcoming(signature)}"
    if signature.subject is None:
        return f"{pin} should have signed the file, but who signed it cannot be told"
    if not signature.subject.is_named(pin):
        return f"{pin} should have signed the file, but it is signed by {signature.subject}"
    return ""


def shortcoming(signature: Signature) -> str:
    """Return in words why a signature cannot be relied on; empty where it can."""
    if signature.trust is Trust.HOLDS:
        return ""
    told = f" ({signature.detail})" if signature.detail else ""
    return f"{_WORDS[signature.trust]}{told}"


def _is_plain(name: str) -> bool:
    """Return whether a name is one that people can read and type."""
    return name.isprintable() and name == name.strip() != ""


_WORDS: Final = {
    Trust.NOT_SIGNED: "it is not signed",
    Trust.CHANGED: "it was changed after it was signed",
    Trust.UNTRUSTED: "its certificate does not lead to an authority that is trusted",
    Trust.EXPIRED: "its certificate has expired, and no timestamp says that it was signed before",
    Trust.REVOKED: "its certificate was revoked",
    Trust.DISTRUSTED: "its certificate is explicitly distrusted",
    Trust.NOT_FOR_CODE: "its certificate is not meant for signing code",
    Trust.UNKNOWN: "its signature does not hold",
}

_TRUST: Final = {
    0x00000000: Trust.HOLDS,
    0x800B0100: Trust.NOT_SIGNED,  # TRUST_E_NOSIGNATURE
    0x800B0003: Trust.NOT_SIGNED,  # TRUST_E_SUBJECT_FORM_UNKNOWN
    0x800B0001: Trust.NOT_SIGNED,  # TRUST_E_PROVIDER_UNKNOWN
    0x80096010: Trust.CHANGED,  # TRUST_E_BAD_DIGEST
    0x80091007: Trust.CHANGED,  # CRYPT_E_HASH_VALUE
    0x800B0109: Trust.UNTRUSTED,  # CERT_E_UNTRUSTEDROOT
    0x800B010A: Trust.UNTRUSTED,  # CERT_E_CHAINING
    0x800B010D: Trust.UNTRUSTED,  # CERT_E_UNTRUSTEDTESTROOT
    0x800B0112: Trust.UNTRUSTED,  # CERT_E_UNTRUSTEDCA
    0x800B0004: Trust.UNTRUSTED,  # TRUST_E_SUBJECT_NOT_TRUSTED
    0x800B0101: Trust.EXPIRED,  # CERT_E_EXPIRED
    0x800B010C: Trust.REVOKED,  # CERT_E_REVOKED
    0x80092010: Trust.REVOKED,  # CRYPT_E_REVOKED
    0x800B0111: Trust.DISTRUSTED,  # TRUST_E_EXPLICIT_DISTRUST
    0x80092026: Trust.DISTRUSTED,  # CRYPT_E_SECURITY_SETTINGS
    0x800B0110: Trust.NOT_FOR_CODE,  # CERT_E_WRONG_USAGE
    0x800B0106: Trust.NOT_FOR_CODE,  # CERT_E_PURPOSE
}
