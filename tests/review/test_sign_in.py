"""Who is let in, at which cost, how failures slow down, and what of it is on record."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.daemon import sign_in as module
from reconciler.daemon.sign_in import FREE_FAILURES, LONGEST_WAIT, SignIn, SignInRefused
from reconciler.operations.accounts import AccountRefused, add_account, remove_account, renew_password
from reconciler.settings import Settings
from reconciler.site import Site, open_site


class Door:
    """A sign-in with a clock of its own, and a count of the passwords that were hashed."""

    def __init__(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        self.site = site
        self.now = 1_000_000.0
        self.hashed = 0
        self._sign_in = SignIn(site.accounts, lambda: self.now)
        real = module.is_password

        def counting(password: str, kept: str) -> bool:
            self.hashed += 1
            return real(password, kept)

        monkeypatch.setattr(module, "is_password", counting)

    async def knock(self, name: str, password: str, address: str = "10.0.0.1") -> str:
        basic = base64.b64encode(f"{name}:{password}".encode())
        scope = {"type": "http", "headers": [(b"authorization", b"Basic " + basic)], "client": (address, 1)}
        return (await self._sign_in.account(scope)).name

    async def refused(self, name: str, password: str, address: str = "10.0.0.1") -> float:
        with pytest.raises(SignInRefused) as told:
            await self.knock(name, password, address)
        return told.value.wait

    async def flush(self) -> None:
        await self._sign_in.flush()

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [json.loads(r.facts) for r in self.site.audit.records() if r.kind == kind]


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    with open_site(Settings(data=tmp_path)) as site:
        yield Door(site, monkeypatch)


async def test_a_verified_password_is_hashed_once(door: Door) -> None:
    password = add_account(door.site, "ann", "ann@example.com").password
    for _ in range(20):
        assert await door.knock("ann", password) == "ann"
        door.now += 3600
    assert door.hashed == 1


async def test_a_new_password_and_a_removal_count_at_once(door: Door) -> None:
    first = add_account(door.site, "ann", "ann@example.com").password
    await door.knock("ann", first)
    second = renew_password(door.site, "ann").password
    await door.refused("ann", first)
    await door.knock("ann", second)
    remove_account(door.site, "ann")
    await door.refused("ann", second)


async def test_failures_of_an_account_from_an_address_slow_it_down_there_and_nowhere_else(door: Door) -> None:
    password = add_account(door.site, "ann", "ann@example.com").password
    waits = []
    for _ in range(FREE_FAILURES + 10):
        while wait := await door.refused("ann", "guess"):
            waits.append(wait)
            door.now += wait
    assert waits[:3] == [1.0, 2.0, 4.0]
    assert max(waits) == LONGEST_WAIT
    await door.refused("ann", "guess")
    hashed = door.hashed
    assert await door.refused("ann", password) > 0
    assert door.hashed == hashed, "while it has to wait, nothing is hashed"
    assert await door.knock("ann", password, "10.0.0.2") == "ann"


async def test_a_name_without_a_password_is_no_guess(door: Door) -> None:
    """So git asks first where the address of the repository names somebody."""
    password = add_account(door.site, "ann", "ann@example.com").password
    for _ in range(50):
        assert await door.refused("ann", "") == 0
    assert door.hashed == 0
    assert await door.knock("ann", password) == "ann"
    await door.flush()
    assert door.told("signInsRefused") == []


async def test_guessing_names_slows_an_address_down(door: Door) -> None:
    waits = [await door.refused(f"name-{number}", "guess") for number in range(40)]
    assert waits[0] == 0
    assert waits[-1] > 0


async def test_who_is_known_is_let_in_while_others_fail_from_the_same_address(door: Door) -> None:
    password = add_account(door.site, "ann", "ann@example.com").password
    await door.knock("ann", password)
    for number in range(40):
        await door.refused(f"name-{number}", "guess")
    assert await door.knock("ann", password) == "ann"


async def test_sign_ins_are_on_record_once_an_hour_and_failures_together(door: Door) -> None:
    password = add_account(door.site, "ann", "ann@example.com").password
    for _ in range(10):
        await door.knock("ann", password)
    await door.knock("ann", password, "10.0.0.9")
    assert [told["address"] for told in door.told("signedIn")] == ["10.0.0.1", "10.0.0.9"]
    for number in range(15):
        await door.refused(f"eve\x1b{number}", "guess")
    await door.flush()
    await door.flush()
    (told,) = door.told("signInsRefused")
    assert (told["failures"], told["addresses"], len(told["accounts"])) == (15, ["10.0.0.1"], 10)
    assert told["accounts"][0] == "eve\\x1b0"
    door.now += 3601
    await door.knock("ann", password)
    assert len(door.told("signedIn")) == 3


@pytest.mark.parametrize(
    "header", [b"", b"Basic", b"Basic !!!", b"Basic " + base64.b64encode(b"\xff:x"), b"Bearer x"]
)
async def test_what_is_no_password_is_refused(door: Door, header: bytes) -> None:
    with pytest.raises(SignInRefused):
        await door._sign_in.account({"type": "http", "headers": [(b"authorization", header)], "client": None})


def test_a_password_is_kept_as_a_hash_alone(door: Door, tmp_path: Path) -> None:
    password = add_account(door.site, "ann", "ann@example.com").password
    found = door.site.accounts.find("ann")
    assert found is not None
    assert found.password.startswith("scrypt$16384$8$1$")
    assert len(password.replace("-", "")) == 26
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or password.encode() not in file.read_bytes()
    assert add_account(door.site, "ben", "ben@example.com").password != password


def test_names_and_addresses_are_given_once(door: Door) -> None:
    add_account(door.site, "ann", "ann@example.com")
    with pytest.raises(AccountRefused, match=r"has the address ANN@example\.com"):
        add_account(door.site, "ben", "ANN@example.com")
    remove_account(door.site, "ann")
    with pytest.raises(AccountRefused, match="there is an account ann, or was"):
        add_account(door.site, "ann", "other@example.com")
    for name in ("", "Ann", "a b", "unknown", "-ann", "a" * 60):
        with pytest.raises(AccountRefused):
            add_account(door.site, name, "x@example.com")
    with pytest.raises(AccountRefused, match="no mail address"):
        add_account(door.site, "cleo", "cleo")
    with pytest.raises(AccountRefused, match="there is no account ann"):
        renew_password(door.site, "ann")
    assert [told["account"] for told in door.told("accountRemoved")] == ["ann"]
