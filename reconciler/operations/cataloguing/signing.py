"""Decides which signer a new release pins, and points out what is odd about its signature. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.artifacts.signatures import INSTALL_HINT
from reconciler.desired.writing import FileRelease
from reconciler.kernel.signatures import Signature, Trust, shortcoming
from reconciler.operations.cataloguing.notices import Notice, NoticeKind


def pin_for(signature: Signature | None, before: FileRelease | None) -> str:
    """Return whom a new release pins as its signer; empty where hosts are not to check.

    Args:
        signature: that of the file; ``None`` where it could not be checked.
        before: the release that precedes the new one. What it pins stays pinned in its own words where that fits,
            and where nothing can be said: then hosts find out.
    """
    was = before.artifact.signer if before is not None else ""
    if signature is None:
        return was
    if signature.subject is None:
        return ""
    if was and signature.subject.is_named(was):
        return was
    return signature.subject.pin if signature.trust is Trust.HOLDS else ""


def point_out_signature(signature: Signature | None, before: FileRelease | None, where: str) -> Iterator[Notice]:
    """Yield what a person should know of the signature of a new release before others get it.

    Args:
        signature: that of the file; ``None`` where it could not be checked.
        before: the release that precedes the new one.
        where: the file.
    """
    was = before.artifact.signer if before is not None else ""
    version = before.version if before is not None else ""
    pin = pin_for(signature, before)
    consequence = f"{pin} stays pinned, as for {version}, and hosts check it" if pin else "no signer is pinned"
    if signature is None:
        message = (
            f"it is signed, but osslsigncode, which tells by whom, is missing ({INSTALL_HINT}): {consequence}"
        )
        yield Notice(where, NoticeKind.SIGNATURE_UNCHECKED, message)
        return
    if signature.trust is Trust.NOT_SIGNED:
        if was:
            message = (
                f"IT IS NOT SIGNED, though {version} is, by {was}: no signer is pinned, so hosts would run it "
                "unchecked. Ask its vendor before you release it"
            )
            yield Notice(where, NoticeKind.SIGNATURE_MISSING, message)
        return
    if was and (signature.subject is None or not signature.subject.is_named(was)):
        message = (
            f"ITS SIGNER IS ANOTHER: {signature.subject or 'unknown'}, where {version} is signed by {was}. "
            "Ask its vendor before you release it"
        )
        yield Notice(where, NoticeKind.SIGNER_CHANGED, message)
    if signature.trust is not Trust.HOLDS:
        message = (
            f"it is signed by {signature.subject or 'somebody unknown'}, but {shortcoming(signature)}: "
            f"{consequence}. Name the authorities that you trust with --signing-roots"
        )
        yield Notice(where, NoticeKind.SIGNATURE_UNTRUSTED, message)
    elif not pin:
        message = f"it is signed by {signature.subject}, whom no pin can name: no signer is pinned"
        yield Notice(where, NoticeKind.SIGNATURE_UNTRUSTED, message)
