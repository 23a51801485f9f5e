"""Guessing passwords slows the guesser down, and keeps nobody else out: not by name, address, queue or memory."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.daemon import sign_in as module
from reconciler.daemon.connections.addresses import address_group
from reconciler.daemon.sign_in import (
    FREE_FAILURES,
    FREE_FAILURES_OF_ACCOUNT,
    FREE_FAILURES_OF_ADDRESS,
    SignIn,
    SignInRefused,
)
from reconciler.operations.accounts import add_account, renew_password
from reconciler.settings import Settings
from reconciler.site import Site, open_site


class Door:
    """A sign-in with its own clock."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.now = 1_000_000.0
        self.sign_in = SignIn(site.accounts, lambda: self.now)
        self.password = add_account(site, "ann", "ann@example.com").password

    def restart(self) -> None:
        """As after a restart of the daemon: what was in memory is gone."""
        self.sign_in = SignIn(self.site.accounts, lambda: self.now)

    async def knock(self, name: str, password: str, address: str = "10.0.0.1") -> str:
        basic = base64.b64encode(f"{name}:{password}".encode())
        scope = {"type": "http", "headers": [(b"authorization", b"Basic " + basic)], "client": (address, 1)}
        return (await self.sign_in.account(scope)).name

    async def guess(self, name: str = "ann", address: str = "10.6.6.6") -> float:
        """Guess wrongly; return how long to wait before the next guess, 0 where this one was tried."""
        with pytest.raises(SignInRefused) as told:
            await self.knock(name, "guess", address)
        return told.value.wait


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with open_site(Settings(data=tmp_path)) as site:
        yield Door(site)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Hash nothing, as these tests guess hundreds of times; the passwords that would have been hashed."""
    hashed: list[str] = []
    real = module.is_password

    def fake(password: str, kept: str) -> bool:
        hashed.append(password)
        return password != "guess" and real(password, kept)

    monkeypatch.setattr(module, "is_password", fake)
    return hashed


async def test_a_guesser_at_the_same_address_keeps_nobody_out(door: Door, quick: list[str]) -> None:
    """One office, one address: an approver who has signed in still does, however often somebody guesses there."""
    assert await door.knock("ann", door.password) == "ann"
    door.now += 24 * 3600
    for number in range(FREE_FAILURES + FREE_FAILURES_OF_ADDRESS):
        await door.guess("ann", "10.0.0.1")
        await door.guess(f"name-{number}", "10.0.0.1")
    assert await door.guess("ann", "10.0.0.1") > 0
    assert await door.knock("ann", door.password) == "ann"


async def test_an_approver_gets_in_from_a_new_address_while_many_addresses_guess(
    door: Door, quick: list[str]
) -> None:
    for number in range(4 * FREE_FAILURES_OF_ACCOUNT):
        await door.guess("ann", f"10.6.{number // 250}.{number % 250}")
    assert await door.knock("ann", door.password, "192.0.2.7") == "ann"


async def test_more_addresses_bring_hardly_any_more_guesses(door: Door, quick: list[str]) -> None:
    addresses = [f"10.6.6.{number}" for number in range(100)]
    for _ in range(10):
        for address in addresses:
            await door.guess("ann", address)
    assert len(quick) <= FREE_FAILURES_OF_ACCOUNT * 2 + len(addresses)


async def test_addresses_that_one_client_can_choose_from_count_as_one(door: Door, quick: list[str]) -> None:
    waits = [await door.guess(f"name-{n}", f"2001:db8::{n:x}") for n in range(FREE_FAILURES_OF_ADDRESS + 1)]
    assert waits[0] == 0
    assert waits[-1] > 0
    assert await door.guess("somebody", "2001:db8:0:1::1") == 0
    assert address_group("::ffff:10.0.0.1") == address_group("10.0.0.1") == "10.0.0.1"
    assert address_group("fe80::1%eth0") == "fe80::/64"
    assert address_group("made up\n") == address_group("also made up") == "unknown"


async def test_while_somebody_has_to_wait_nothing_is_hashed_or_read(
    door: Door, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(FREE_FAILURES):
        await door.guess()
    quick.clear()

    def unexpected(_name: str) -> Any:
        raise AssertionError("the database was asked")

    monkeypatch.setattr(door.site.accounts, "find", unexpected)
    assert await door.guess() > 0
    assert quick == []


class Gate:
    """Holds every hashing until it is opened, and counts how many run at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = threading.Event()
        self.running = self.most = 0
        real, lock = module.is_password, threading.Lock()

        def held(password: str, kept: str) -> bool:
            with lock:
                self.running += 1
                self.most = max(self.most, self.running)
            self.open.wait(30)
            with lock:
                self.running -= 1
            return real(password, kept) if password != "guess" else False

        monkeypatch.setattr(module, "is_password", held)


async def test_a_flood_of_guesses_keeps_an_approver_out_of_no_queue(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after a restart, from an address that the approver signed in from before."""
    assert await door.knock("ann", door.password) == "ann"
    door.restart()
    gate = Gate(monkeypatch)
    flood = [asyncio.create_task(door.guess("ann", f"10.6.{n // 250}.{n % 250}")) for n in range(500)]
    flood += [asyncio.create_task(door.guess(f"name-{n}", "10.0.0.1")) for n in range(50)]
    while sum(task.done() for task in flood) < 500:
        await asyncio.sleep(0)
    knocking = asyncio.create_task(door.knock("ann", door.password))
    await asyncio.sleep(0)
    gate.open.set()
    assert await knocking == "ann"
    waits = await asyncio.gather(*flood)
    assert sum(wait == 0 for wait in waits) <= 40, "only so many wait to be hashed"
    assert gate.most <= 2, "each takes 16 MiB, and some milliseconds of a processor"


async def test_the_memory_of_the_throttle_is_bounded(
    door: Door, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_REMEMBERED", 30)
    for number in range(100):
        await door.guess(f"name-{number}", f"10.6.6.{number}")
    assert len(door.sign_in._failures) <= 30
    for number in range(40):
        name = f"person-{number}"
        await door.knock(name, add_account(door.site, name, f"{name}@example.com").password)
    assert len(door.sign_in._known) <= 30
    assert len(door.sign_in._familiar) <= 30


async def test_a_new_password_ends_what_was_recognised(door: Door) -> None:
    await door.knock("ann", door.password)
    renewed = renew_password(door.site, "ann").password
    with pytest.raises(SignInRefused):
        await door.knock("ann", door.password)
    assert await door.knock("ann", renewed) == "ann"


async def test_refused_sign_ins_that_cannot_be_recorded_are_recorded_later(
    door: Door, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await door.guess()
    real = door.site.accounts.record

    def full(*_arguments: Any) -> None:
        raise OSError("no space")

    monkeypatch.setattr(door.site.accounts, "record", full)
    with pytest.raises(OSError, match="no space"):
        await door.sign_in.flush()
    await door.guess("ben", "10.6.6.7")
    monkeypatch.setattr(door.site.accounts, "record", real)
    await door.sign_in.flush()
    (told,) = [json.loads(r.facts) for r in door.site.audit.records() if r.kind == "signInsRefused"]
    assert (told["failures"], told["accounts"]) == (2, ["ann", "ben"])


async def test_a_crowd_that_guesses_one_account_keeps_no_other_out(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ben comes from an address that is new to the server, while guesses from everywhere wait."""
    password = add_account(door.site, "ben", "ben@example.com").password
    door.sign_in._key = bytes(32)  # by which the two names wait in different lanes
    go_on = threading.Event()
    real = module.is_password

    def slow(password: str, kept: str) -> bool:
        assert go_on.wait(60)
        return password != "guess" and real(password, kept)

    monkeypatch.setattr(module, "is_password", slow)
    crowd = [asyncio.create_task(door.knock("ann", "guess", f"10.9.{n}.1")) for n in range(60)]
    await asyncio.sleep(0)
    ben = asyncio.create_task(door.knock("ben", password, "192.0.2.9"))
    await asyncio.sleep(0)
    go_on.set()
    assert await ben == "ben"
    refused = await asyncio.gather(*crowd, return_exceptions=True)
    assert all(isinstance(error, SignInRefused) for error in refused)
