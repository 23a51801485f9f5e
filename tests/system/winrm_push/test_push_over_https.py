"""A host is kept over HTTPS, by each way of signing in that there is; and by none that cannot be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.kernel.attempts import Outcome
from reconciler.kernel.steps import StepKind
from reconciler.lab import LabHost
from reconciler.lab.winrm import ClientCertificates, WinrmEndpoint, WinrmSettings
from tests.system.certificates import LAB_ADDRESSES, Authority, principal
from tests.system.main_job.conftest import HOST
from tests.system.winrm_push.conftest import HOST_FILE, PASSWORD, PUSHED, ExamplePackages, PushedFleet, eventually
from tests.system.winrm_push.relay import Relay

PRINCIPAL = "svc-reconciler@contoso.example"
BY_PASSWORD = {"user": "Administrator", "password": f"env:{PASSWORD}"}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "contoso authority")


@pytest.fixture
def served(pushed: PushedFleet, authority: Authority) -> tuple[LabHost, WinrmEndpoint]:
    """The host, and its WinRM service over HTTPS, which knows one client certificate."""
    (host,) = pushed.lab.up([HOST])
    certificate = authority.give("host", *LAB_ADDRESSES)
    clients = ClientCertificates(authority.file, PRINCIPAL)
    return host, host.start_winrm(WinrmSettings(certificate=certificate, clients=clients))


@pytest.fixture
def relay(served: tuple[LabHost, WinrmEndpoint]) -> Iterator[Relay]:
    """The same service at an address that its certificate does not name."""
    made = Relay(served[1].address, 5986)
    yield made
    made.close()


def reach(fleet: PushedFleet, url: str, authority: Authority, transport: str, **access: str) -> None:
    """Say how the host is reached from the next commit on, in its file and in the server's grants."""
    fleet.grant(transport=transport, authority=f"file:{authority.file}", **access)
    fleet.workspace.write({HOST_FILE: PUSHED.format(url=url.removesuffix("/wsman"))})


def by_certificate(file: Path) -> dict[str, str]:
    return {"certificate": f"file:{file}", "key": f"file:{file}"}


def test_every_way_to_sign_in_over_https_keeps_the_host_and_none_that_cannot_be_trusted(
    pushed: PushedFleet,
    served: tuple[LabHost, WinrmEndpoint],
    relay: Relay,
    authority: Authority,
    example_packages: ExamplePackages,
) -> None:
    host, endpoint = served
    old, new = (example_packages.get("contoso-agent", version).source for version in ("2.0.0", "2.1.0"))

    reach(pushed, endpoint.tls_url, authority, "ntlm", **BY_PASSWORD)
    pushed.await_synced_by_serving(pushed.publish("by ntlm", contoso_agent="2.0.0"))
    assert pushed.installed(host) == {old.product_code: "2.0.0"}

    reach(pushed, endpoint.tls_url, authority, "basic", **BY_PASSWORD)
    pushed.await_synced(pushed.publish("by basic", contoso_agent="2.1.0"))
    assert pushed.installed(host) == {new.product_code: "2.1.0"}

    known = by_certificate(authority.give("server", principal(PRINCIPAL)))
    reach(pushed, endpoint.tls_url, authority, "certificate", **known)
    pushed.await_synced(pushed.publish("by certificate", contoso_agent="absent"))
    assert pushed.installed(host) == {}

    attempts = pushed.attempts()
    assert [a.kind for a in attempts] == [StepKind.INSTALL, StepKind.MAJOR_UPGRADE, StepKind.REMOVE]
    assert {a.outcome for a in attempts} == {Outcome.SUCCEEDED}

    other = Authority(authority.folder, "other authority")
    somebody = by_certificate(authority.give("somebody", principal("somebody@contoso.example")))
    stranger = by_certificate(other.give("stranger", principal(PRINCIPAL)))
    https_by_relay = relay.url.replace("http:", "https:")
    for url, trusted, shown, told in (
        (endpoint.tls_url, other, known, "its certificate is not trusted"),
        (https_by_relay, authority, known, "IP address mismatch, certificate is not valid for '127.0.0.1'"),
        (endpoint.tls_url, authority, somebody, "does not accept these credentials"),
        (endpoint.tls_url, authority, stranger, "TLS with its WinRM service fails"),
    ):
        reach(pushed, url, trusted, "certificate", **shown)
        pushed.publish(told, contoso_agent="2.0.0")
        eventually(lambda told=told: (record := pushed.site.hosts.find(HOST)) and told in record.trouble)
    assert pushed.installed(host) == {}
    assert len(pushed.attempts()) == len(attempts)
