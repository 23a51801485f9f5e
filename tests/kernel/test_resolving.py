"""Names of this machine are known everywhere, whatever its resolver says."""

from __future__ import annotations

import socket

import pytest

from reconciler.kernel.resolving import resolve


def unknown(*_: object, **__: object) -> None:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "localhost.", "db.localhost"])
def test_localhost_is_loopback_where_no_resolver_knows_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert resolve(name) == ("127.0.0.1", "::1")


@pytest.mark.parametrize("name", ["localhost.example.com", "mylocalhost"])
def test_other_names_are_resolved(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(socket.gaierror):
        resolve(name)


def test_an_address_is_itself_once() -> None:
    assert resolve("192.0.2.7") == ("192.0.2.7",)
