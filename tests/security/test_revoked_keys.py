"""Signatures by keys that were taken away, revoked or expired before they were received count for nothing."""

from __future__ import annotations

import time

import pysequoia
import pytest

from reconciler.approval.pgp_signatures import verify_pgp
from reconciler.approval.ssh_signatures import BadSignature
from tests.operations.conftest import installation
from tests.operations.test_approvals import ANN, BEN, EVE, PROD, Story, key_line, prod, story

__all__ = ["installation", "story"]


def settings(**keys: object) -> str:
    """Return the settings with Ann, Ben and Cara as managers, each with a key of their own."""
    people = "".join(
        f'  {name}: {{knownAs: [{name}@example.com], keys: ["{key_line(key)}"]}}\n'  # type: ignore[arg-type]
        for name, key in keys.items()
    )
    members = ", ".join(f"{name}@example.com" for name in ("ann", "ben", "cara"))
    return f"version: 1\ngroups:\n  managers: [{members}]\npeople:\n{people}"


def test_an_approval_by_a_key_that_was_taken_away_counts_no_more_for_what_waits(story: Story) -> None:
    three = story.propose({"environments/reconciler.yaml": settings(ann=ANN, ben=BEN, cara=EVE)})
    story.approve(three, BEN)
    story.merge(three, ANN)
    assert story.waiting() is None
    waits = story.propose({PROD: prod("2.0.0")})
    story.merge(waits, BEN)  # one of two approvals
    assert story.version() == "1.0.0"
    less = story.propose({"environments/reconciler.yaml": settings(ann=ANN, cara=EVE)})
    story.approve(less, EVE)
    story.merge(less, ANN)
    story.approve(waits, EVE)
    story.installation.follow()
    assert story.version() == "1.0.0"
    waiting = story.waiting()
    assert waiting is not None
    assert any("2 approvals from managers required, 1 given (by cara)" in reason for reason in waiting[1])
    story.approve(waits, ANN)
    story.installation.follow()
    assert story.version() == "2.0.0"


@pytest.fixture(scope="module")
def expiring() -> tuple[str, str, float]:
    """A key that is valid for an hour, a signature by it, and when it expires."""
    secret = pysequoia.Tsk.generate(user_id="Ann <ann@example.com>", validity_seconds=3600)
    signature = pysequoia.sign(secret.signer(), b"payload", mode=pysequoia.SignatureMode.DETACHED)
    certificate = secret.extract_certificate()
    assert certificate.expiration is not None
    return str(certificate), signature.decode(), certificate.expiration.timestamp()


def test_an_expired_key_counts_by_when_the_server_received_the_signature(expiring: tuple[str, str, float]) -> None:
    key, signature, expires = expiring
    assert verify_pgp(b"payload", signature, [key], expires - 1)
    with pytest.raises(BadSignature, match="received after its key had expired"):
        verify_pgp(b"payload", signature, [key], expires)


def test_a_revoked_key_signs_nothing() -> None:
    secret = pysequoia.Tsk.generate(user_id="Ann <ann@example.com>")
    signature = pysequoia.sign(secret.signer(), b"payload", mode=pysequoia.SignatureMode.DETACHED)
    certificate = secret.extract_certificate()
    assert verify_pgp(b"payload", signature.decode(), [str(certificate)], time.time())
    revoked = pysequoia.Cert.from_bytes(bytes(certificate) + bytes(certificate.revoke(secret.certifier())))
    assert revoked.is_revoked
    with pytest.raises(BadSignature):
        verify_pgp(b"payload", signature.decode(), [str(revoked)], time.time())


def test_when_the_server_first_received_a_signature_stays_on_record(story: Story) -> None:
    approvals = story.installation.site.approvals
    assert approvals.received("a" * 40, 10.0) == 10.0
    assert approvals.received("a" * 40, 20.0) == 10.0
