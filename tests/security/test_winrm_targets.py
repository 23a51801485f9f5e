"""Credentials go to the address that was checked, and nowhere else, whatever names and hosts say."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import pytest

from reconciler.desired.host_addresses import IPAddress
from reconciler.desired.model import Host
from reconciler.grants.model import Grants, NotGranted, Transport, WinRMGrant
from reconciler.hosts.winrm.connection import Connection
from reconciler.hosts.winrm.endpoints import Endpoints, SharedEndpoint
from reconciler.hosts.winrm.faults import HostUnreachable
from reconciler.hosts.winrm.opening import open_protocol
from reconciler.hosts.winrm.target import Target, address_of, target_of
from tests.security.rogue_winrm import RogueWinrm, rogue_winrm


def target(address: str, networks: str, *names: str, transport: Transport = Transport.NTLM) -> Target:
    granted = (ipaddress.ip_network(networks),)
    grant = WinRMGrant("dev-hosts", ("dev",), granted, names, transport, "svc-dev", "env:DEV_WINRM")
    host = Host("DEV-01", "dev", address=address, winrm="dev-hosts")
    return target_of(host, Grants("/etc/reconciler/grants.yaml", {"dev-hosts": grant}))


def resolver(*answers: str) -> Iterator[tuple[IPAddress, ...]]:
    return (tuple(map(ipaddress.ip_address, answer.split())) for answer in answers)


@pytest.fixture
def rogue(monkeypatch: pytest.MonkeyPatch) -> Iterator[RogueWinrm]:
    monkeypatch.setenv("DEV_WINRM", "the password of dev")
    with rogue_winrm() as rogue:
        yield rogue


@pytest.mark.parametrize(
    ("scheme", "transport", "said"),
    [
        ("http", Transport.NTLM, "did not respond with NTLM challenge"),
        ("https", Transport.BASIC, "TLS with its WinRM service fails"),
    ],
)
def test_a_name_is_looked_up_once_and_what_was_checked_is_connected_to(
    rogue: RogueWinrm, scheme: str, transport: Transport, said: str
) -> None:
    to = target(f"{scheme}://rebound.invalid:{rogue.port}", "127.0.0.0/8", transport=transport)
    answers = resolver("127.0.0.1")  # a second look would find nothing, nor does the system's resolver
    protocol = open_protocol(to, address_of(to, lambda _: next(answers)))
    with pytest.raises(HostUnreachable, match=said):
        Connection("DEV-01", lambda: protocol, lambda: None).run("ver")


@pytest.mark.parametrize("path", ["/wsman", "/elsewhere"])
def test_a_redirect_takes_no_credentials_anywhere(rogue: RogueWinrm, path: str) -> None:
    with rogue_winrm(redirect_to=f"{rogue.url}{path}") as granted:
        to = target(granted.url, "127.0.0.0/8", transport=Transport.BASIC)
        protocol = open_protocol(to, ipaddress.ip_address("127.0.0.1"))
        with pytest.raises(HostUnreachable, match="redirects to another address"):
            Connection("DEV-01", lambda: protocol, lambda: None).run("ver")
        assert granted.visits == 1
    assert rogue.visits == 0


def test_a_proxy_of_the_environment_is_sent_nothing(rogue: RogueWinrm, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, rogue.url)
    with rogue_winrm() as granted:
        to = target(granted.url, "127.0.0.0/8")
        protocol = open_protocol(to, ipaddress.ip_address("127.0.0.1"))
        with pytest.raises(HostUnreachable):
            Connection("DEV-01", lambda: protocol, lambda: None).run("ver")
        assert granted.visits > 0
    assert rogue.visits == 0


@pytest.mark.parametrize(
    ("address", "networks", "found"),
    [
        ("dev-01.example", "10.20.0.0/16", "192.0.2.1 10.20.0.7"),
        ("10.20.0.7", "10.20.0.0/16", ""),
        ("[::ffff:10.20.0.7]", "10.20.0.0/16", ""),
        ("[2001:db8::7]", "2001:db8::/64", ""),
    ],
)
def test_a_granted_address_is_taken(address: str, networks: str, found: str) -> None:
    taken = address_of(target(address, networks), lambda _: next(resolver(found)))
    assert taken in ipaddress.ip_network(networks)


@pytest.mark.parametrize(
    ("address", "networks", "found"),
    [
        ("dev-01.example", "10.20.0.0/16", "192.0.2.1"),
        ("10.21.0.7", "10.20.0.0/16", ""),
        ("127.0.0.1", "0.0.0.0/0", ""),
        ("localhost", "0.0.0.0/0", "127.0.0.1"),
        ("169.254.169.254", "0.0.0.0/0", ""),
        ("[::1]", "::/0", ""),
        ("[::ffff:127.0.0.1]", "::/0", ""),
    ],
)
def test_an_address_outside_of_the_grant_is_refused(address: str, networks: str, found: str) -> None:
    with pytest.raises(NotGranted, match="outside the networks of the WinRM grant 'dev-hosts'") as refused:
        address_of(target(address, networks), lambda _: next(resolver(found)))
    assert "winrm.dev-hosts in /etc/reconciler/grants.yaml" in str(refused.value.hint)


@pytest.mark.parametrize(("name", "is_granted"), [
    ("a.dev.example", True),
    ("A.DEV.EXAMPLE.", True),
    ("dev.example", False),
    ("evildev.example", False),
    ("a.dev.example.evil.example", False),
    ("10.20.0.7", False),
])  # fmt: skip
def test_names_narrow_a_grant(name: str, is_granted: bool) -> None:
    to = target(name, "10.0.0.0/8", "*.dev.example")
    if is_granted:
        assert address_of(to, lambda _: next(resolver("10.20.0.7")))
        return
    with pytest.raises(NotGranted, match="matches none of the names"):
        address_of(to, lambda _: next(resolver("10.20.0.7")))


def test_two_names_of_one_machine_are_not_two_hosts() -> None:
    endpoints, machine = Endpoints(), ipaddress.ip_address("10.20.0.7")
    endpoints.claim("PROD-07", (machine, 5985), since=1.0)
    with pytest.raises(SharedEndpoint, match="where PROD-07 is reached already"):
        endpoints.claim("MALLORY", (machine, 5986), since=2.0)
    endpoints.claim("OTHER", (machine, 15985), since=2.0)
    endpoints.claim("PROD-07", (machine, 5985), since=1.0)


def test_the_host_that_is_known_longer_keeps_its_machine_whoever_comes_first() -> None:
    endpoints, machine = Endpoints(), ipaddress.ip_address("10.20.0.7")
    endpoints.claim("MALLORY", (machine, 5985), since=2.0)
    endpoints.claim("PROD-07", (machine, 5985), since=1.0)
    endpoints.demand("PROD-07")
    with pytest.raises(SharedEndpoint, match="where PROD-07 is reached already"):
        endpoints.demand("MALLORY")
    endpoints.release("PROD-07")
    endpoints.claim("MALLORY", (machine, 5985), since=2.0)
