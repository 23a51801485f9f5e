"""What Windows answers about a signature, in words, and who is taken for whom. The codes are injected here.

No lab host can give most of them: Wine says of an MSI only whether it has a signature that can be read.
"""

from __future__ import annotations

import pytest

from reconciler.kernel.signatures import Signature, Subject, Trust, refusal, signature_of

CONTOSO = Subject((("O", "Contoso"), ("CN", "Contoso Ltd")))


@pytest.mark.parametrize(
    ("status", "trust", "words"),
    [
        (0x800B0100, Trust.NOT_SIGNED, "it is not signed (0x800B0100)"),
        (0x800B0003, Trust.NOT_SIGNED, "it is not signed (0x800B0003)"),
        (0x80096010, Trust.CHANGED, "it was changed after it was signed (0x80096010)"),
        (0x800B0109, Trust.UNTRUSTED, "does not lead to an authority that is trusted (0x800B0109)"),
        (0x800B010A, Trust.UNTRUSTED, "does not lead to an authority that is trusted (0x800B010A)"),
        (0x800B0101, Trust.EXPIRED, "has expired, and no timestamp says that it was signed before (0x800B0101)"),
        (0x800B010C, Trust.REVOKED, "was revoked (0x800B010C)"),
        (0x800B0111, Trust.DISTRUSTED, "is explicitly distrusted (0x800B0111)"),
        (0x80092026, Trust.DISTRUSTED, "is explicitly distrusted (0x80092026)"),
        (0x800B0110, Trust.NOT_FOR_CODE, "is not meant for signing code (0x800B0110)"),
        (0x80096004, Trust.UNKNOWN, "its signature does not hold (0x80096004)"),
        (0x80070005, Trust.UNKNOWN, "its signature does not hold (0x80070005)"),
        (0x00000001, Trust.UNKNOWN, "its signature does not hold (0x00000001)"),
    ],
)
def test_whatever_is_not_success_is_refused_even_of_the_right_signer(status, trust, words):
    signature = signature_of(status, CONTOSO)
    assert signature.trust is trust
    why = refusal("CN=Contoso Ltd", signature)
    assert why.startswith("CN=Contoso Ltd should have signed the file, but ")
    assert why.endswith(words)
    assert refusal("", signature) == ""


@pytest.mark.parametrize(
    ("pin", "fits"),
    [
        ("CN=Contoso Ltd", True),
        ("O=Contoso", True),
        ("CN=contoso ltd", False),
        ("CN=Contoso", False),
        ("CN=Contoso Ltd ", False),
        ("O=Contoso Ltd", False),
        ("Contoso Ltd", False),
    ],
)
def test_a_signer_is_named_to_the_letter(pin, fits):
    assert CONTOSO.is_named(pin) == fits
    assert (refusal(pin, signature_of(0, CONTOSO)) == "") == fits


def test_a_signature_that_holds_without_telling_whose_it_is_is_refused():
    assert "who signed it cannot be told" in refusal("CN=Contoso Ltd", Signature(Trust.HOLDS))
    assert "somebody without a name" in refusal("CN=Contoso Ltd", Signature(Trust.HOLDS, Subject()))


def test_a_signer_is_pinned_by_its_common_name_else_by_its_organisation():
    assert CONTOSO.pin == "CN=Contoso Ltd"
    assert Subject((("O", "Contoso"),)).pin == "O=Contoso"
    assert Subject().pin == ""
    assert Subject((("CN", "first"), ("CN", "last"))).pin == "CN=last"
    assert Subject((("O", "Contoso"), ("CN", "Contoso\nLtd"))).pin == "O=Contoso"
    assert Subject((("CN", " "), ("O", "Contoso "))).pin == ""
