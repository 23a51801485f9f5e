"""Verifies OpenPGP signatures of commits. Knows nobody: it says which key signed.

Source: RFC 9580; git-scm.com/docs/gitformat-signature
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.approval.ssh_signatures import BadSignature


def verify_pgp(payload: bytes, armored: str, keys: Iterable[str], received_at: float | None = None) -> str:
    """Return the fingerprint of the key that signed.

    Args:
        payload: what was signed.
        armored: the detached signature.
        keys: the keys that it may be by, in armor.
        received_at: when the signature was first received, in seconds since 1970. A key that had expired by then
            signs nothing: what a signature itself says of its time is up to whoever has the key. ``None`` leaves
            the expiry of keys out of account.

    Raises:
        BadSignature: it does not hold, or is by none of these keys.
    """
    from pysequoia import Cert, Sig, verify

    try:
        certificates = [Cert.from_bytes(key.encode("utf-8")) for key in keys]
        signature = Sig.from_bytes(armored.encode("utf-8"))
        verified = verify(bytes=payload, store=lambda _ids: certificates, signature=signature)
    except Exception as error:  # the library has no class of its own for this
        told = str(error).partition("\n")[0]
        raise BadSignature(f"the OpenPGP signature does not hold: {told}") from error
    if not verified.valid_sigs:
        raise BadSignature("the OpenPGP signature is by no key that is known")
    signer = str(verified.valid_sigs[0].certificate).upper()
    for certificate in certificates:
        if certificate.fingerprint.upper() != signer:
            continue
        if certificate.is_revoked:
            raise BadSignature("the OpenPGP signature is by a key that was revoked")
        expires = certificate.expiration
        if received_at is not None and expires is not None and expires.timestamp() <= received_at:
            raise BadSignature("the OpenPGP signature was received after its key had expired")
    return signer
