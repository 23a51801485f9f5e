"""Which signer a new release pins, and what is pointed out: by the file's signature and the release before."""

from __future__ import annotations

import pytest

from reconciler.kernel.artifact import Artifact
from reconciler.kernel.releases import MsiRelease
from reconciler.kernel.signatures import Signature, Subject, Trust
from reconciler.operations.cataloguing.notices import NoticeKind
from reconciler.operations.cataloguing.signing import pin_for, point_out_signature

CONTOSO = Subject((("O", "Contoso"), ("CN", "Contoso Ltd")))
NORTHWIND = Subject((("O", "Northwind"), ("CN", "Northwind Ltd")))
MISSING, CHANGED, UNTRUSTED, UNCHECKED = (
    NoticeKind.SIGNATURE_MISSING,
    NoticeKind.SIGNER_CHANGED,
    NoticeKind.SIGNATURE_UNTRUSTED,
    NoticeKind.SIGNATURE_UNCHECKED,
)


def before(signer: str) -> MsiRelease:
    return MsiRelease("1.0.0", "product", "package", Artifact("0" * 64, 1, "a.msi", signer))


@pytest.mark.parametrize(
    ("signature", "was", "pin", "kinds"),
    [
        (Signature(Trust.NOT_SIGNED), "", "", []),
        (Signature(Trust.NOT_SIGNED), "CN=Contoso Ltd", "", [MISSING]),
        (Signature(Trust.HOLDS, CONTOSO), "", "CN=Contoso Ltd", []),
        (Signature(Trust.HOLDS, CONTOSO), "CN=Contoso Ltd", "CN=Contoso Ltd", []),
        (Signature(Trust.HOLDS, CONTOSO), "O=Contoso", "O=Contoso", []),
        (Signature(Trust.HOLDS, NORTHWIND), "O=Contoso", "CN=Northwind Ltd", [CHANGED]),
        (Signature(Trust.HOLDS, Subject()), "", "", [UNTRUSTED]),
        (Signature(Trust.UNTRUSTED, CONTOSO), "", "", [UNTRUSTED]),
        (Signature(Trust.UNTRUSTED, CONTOSO), "O=Contoso", "O=Contoso", [UNTRUSTED]),
        (Signature(Trust.UNTRUSTED, NORTHWIND), "O=Contoso", "", [CHANGED, UNTRUSTED]),
        (Signature(Trust.UNTRUSTED), "O=Contoso", "", [CHANGED, UNTRUSTED]),
        (Signature(Trust.EXPIRED, CONTOSO), "", "", [UNTRUSTED]),
        (Signature(Trust.NOT_FOR_CODE, CONTOSO), "", "", [UNTRUSTED]),
        (None, "", "", [UNCHECKED]),
        (None, "O=Contoso", "O=Contoso", [UNCHECKED]),
    ],
)
def test_what_is_pinned_and_pointed_out(
    signature: Signature | None, was: str, pin: str, kinds: list[NoticeKind]
) -> None:
    release = before(was)
    assert pin_for(signature, release) == pin
    notices = list(point_out_signature(signature, release, "setup.msi"))
    assert [notice.kind for notice in notices] == kinds
    assert {notice.where for notice in notices} <= {"setup.msi"}


def test_the_first_release_of_a_package_pins_whoever_signed_it() -> None:
    assert pin_for(Signature(Trust.HOLDS, CONTOSO), None) == "CN=Contoso Ltd"
    assert list(point_out_signature(Signature(Trust.HOLDS, CONTOSO), None, "setup.msi")) == []
    assert pin_for(None, None) == ""


def test_notices_name_both_releases_and_say_what_follows() -> None:
    (missing,) = point_out_signature(Signature(Trust.NOT_SIGNED), before("CN=Contoso Ltd"), "a.msi")
    assert "IT IS NOT SIGNED, though 1.0.0 is, by CN=Contoso Ltd" in missing.message
    assert "hosts would run it unchecked" in missing.message
    (changed,) = point_out_signature(Signature(Trust.HOLDS, NORTHWIND), before("CN=Contoso Ltd"), "a.msi")
    assert "O=Northwind, CN=Northwind Ltd, where 1.0.0 is signed by CN=Contoso Ltd" in changed.message
    (unchecked,) = point_out_signature(None, before("CN=Contoso Ltd"), "a.msi")
    assert "apt-get install -y osslsigncode" in unchecked.message
    assert "CN=Contoso Ltd stays pinned, as for 1.0.0, and hosts check it" in unchecked.message
