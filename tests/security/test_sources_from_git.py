"""A catalog names where a file can be had: nothing in the server's own network is asked, and no file is read."""

from __future__ import annotations

import hashlib
import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.artifacts.fetching import CannotFetch, IPAddress, fetch, is_public
from reconciler.kernel.artifact import Artifact
from tests.security.rogue_winrm import RogueWinrm, rogue_winrm

ARTIFACT = Artifact(hashlib.sha256(b"x").hexdigest(), 1, "setup.msi")


@pytest.fixture
def internal() -> Iterator[RogueWinrm]:
    """A service within the server's own network, which anything might come from."""
    with rogue_winrm() as service:
        yield service


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
def test_an_internal_service_is_not_asked(internal: RogueWinrm, host: str, tmp_path: Path) -> None:
    with pytest.raises(CannotFetch, match=r"no public address.*sources\.networks"):
        fetch(f"http://{host}:{internal.port}/", ARTIFACT, tmp_path / "setup.msi")
    assert internal.visits == 0


def test_a_redirect_to_an_internal_service_is_not_followed(internal: RogueWinrm, tmp_path: Path) -> None:
    asked: list[IPAddress] = []

    def only_once(address: IPAddress) -> bool:
        asked.append(address)
        return len(asked) == 1

    with rogue_winrm(redirect_to=internal.url) as outside, pytest.raises(CannotFetch, match="no public address"):
        fetch(outside.url, ARTIFACT, tmp_path / "setup.msi", only_once)
    assert (outside.visits, internal.visits) == (1, 0)


def test_a_name_is_not_looked_up_again_after_the_check(
    internal: RogueWinrm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[str] = []
    system = socket.getaddrinfo

    def rebinding(host: Any, *rest: Any, **options: Any) -> Any:
        if host != "rebound.invalid":
            return system(host, *rest, **options)
        looked_up.append(host)
        assert len(looked_up) == 1
        return system("127.0.0.1", *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with pytest.raises(CannotFetch, match="answers 401"):
        fetch(f"http://rebound.invalid:{internal.port}/", ARTIFACT, tmp_path / "setup.msi", lambda _: True)
    assert internal.visits == 1


@pytest.mark.parametrize("source", ["/etc/shadow", "file:///etc/shadow", r"\\mallory\share\setup.msi"])
def test_no_file_is_read(source: str, tmp_path: Path) -> None:
    with pytest.raises(CannotFetch, match="no http or https address"):
        fetch(source, ARTIFACT, tmp_path / "setup.msi", lambda _: True)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
    ],
)
def test_what_counts_as_public(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public
