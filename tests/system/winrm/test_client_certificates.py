"""Whom the endpoint takes for its account by a client certificate. TLS has found the certificate good by then."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from reconciler.lab.winrm.server.sign_in import Account, SignIn, Step
from tests.system.certificates import Authority, principal

MUTUAL = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"
KNOWN = "svc@contoso.example"


@pytest.mark.parametrize(
    ("names", "step"),
    [
        ((principal(KNOWN),), Step.IN),
        ((principal(KNOWN.upper()),), Step.IN),
        ((principal("somebody@contoso.example"),), Step.REFUSED),
        ((x509.DNSName(KNOWN.partition("@")[2]),), Step.REFUSED),
    ],
)
def test_the_principal_decides(tmp_path: Path, names: tuple[x509.GeneralName, ...], step: Step) -> None:
    file = Authority(tmp_path, "authority").give("client", *names)
    shown = x509.load_pem_x509_certificate(file.read_bytes()).public_bytes(Encoding.DER)
    assert SignIn(Account("Administrator", "x", KNOWN), lambda: shown).step(MUTUAL) is step


@pytest.mark.parametrize("principal_of_account", ["", KNOWN])
def test_without_a_certificate_nobody_is_known(principal_of_account: str) -> None:
    assert SignIn(Account("Administrator", "x", principal_of_account), lambda: None).step(MUTUAL) is Step.REFUSED
