"""How a host is reached, and where its secrets come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.desired.model import Host
from reconciler.grants.credentials import CredentialMissing, secret_of
from reconciler.grants.model import Grants, Transport, WinRMGrant
from reconciler.hosts.winrm.target import Target, UnsafeTransport, target_of


def target(transport: Transport, address: str = "") -> Target:
    grant = WinRMGrant("servers", ("prod",), (), transport=transport, user="admin", password="env:X")
    return target_of(Host("prod-07", "prod", address=address, winrm="servers"), Grants(winrm={"servers": grant}))


@pytest.mark.parametrize(
    ("transport", "address", "url"),
    [
        (Transport.NTLM, "", "http://prod-07:5985/wsman"),
        (Transport.KERBEROS, "10.0.0.7", "http://10.0.0.7:5985/wsman"),
        (Transport.BASIC, "", "https://prod-07:5986/wsman"),
        (Transport.CERTIFICATE, "prod-07.contoso.example:443", "https://prod-07.contoso.example:443/wsman"),
        (Transport.NTLM, "https://[2001:db8::7]", "https://[2001:db8::7]:5986/wsman"),
        (Transport.BASIC, "http://127.0.0.1:55985", "http://127.0.0.1:55985/wsman"),
    ],
)
def test_an_address_leads_to_the_service(transport: Transport, address: str, url: str) -> None:
    found = target(transport, address)
    assert (found.host, found.url) == ("PROD-07", url)


@pytest.mark.parametrize("transport", [Transport.BASIC, Transport.CERTIFICATE])
def test_nothing_goes_over_the_wire_in_the_clear(transport: Transport) -> None:
    with pytest.raises(UnsafeTransport, match="https://prod-07"):
        target(transport, "http://prod-07")


def test_a_secret_comes_from_a_variable_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROD_WINRM", "from the variable")
    (tmp_path / "secret").write_text("from the file\n")
    assert secret_of("env:PROD_WINRM") == "from the variable"
    assert secret_of(f"file:{tmp_path / 'secret'}") == "from the file"


@pytest.mark.parametrize("reference", ["env:NOT_THERE", "file:/not/there", "file:relative", "Summer2026!"])
def test_a_secret_that_is_not_there_is_told_without_being_shown(reference: str) -> None:
    with pytest.raises(CredentialMissing) as missing:
        secret_of(reference)
    assert "Summer2026!" not in str(missing.value)
