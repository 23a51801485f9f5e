"""Knows people by name and password: at a bounded cost, slower after failures, and on record without a flood.

Git asks with the same password many times in a second. Whoever was verified is known again by a keyed digest that
only this process can make, until the account's password changes or some minutes have passed.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import structlog
from starlette.types import Scope

from reconciler.kernel.errors import ReconcilerError
from reconciler.presentation.terminal import for_terminal
from reconciler.review.passwords import is_password
from reconciler.store.accounts import AccountRecord, AccountStore
from reconciler.store.audit import Happened

KNOWN_SECONDS = 600.0
"""Seconds for which a verified password need not be hashed again."""

RECORD_SECONDS = 3600.0
"""Seconds for which further sign-ins of an account from an address are not put on record again."""

GATHER_SECONDS = 60.0
"""Seconds for which failures are gathered into one record."""

FREE_FAILURES = 5
"""Failures of an account from an address before it has to wait: one second, then twice as long each time."""

FREE_FAILURES_OF_ADDRESS = 20
"""Failures of any accounts from an address before it has to wait."""

FORGIVEN_SECONDS = 900.0
"""Seconds without a failure after which earlier ones count no longer."""

LONGEST_WAIT = 60.0
"""Seconds to wait after a failure, at most."""

_MOST_REMEMBERED = 10_000
_MOST_NAMED = 10
_LONGEST_NAME = 100
_MOST_HASHED = 2
_MOST_WAITING = 32
_LONGEST_NAME = 64
_LONGEST_PASSWORD = 256

Key = TypeVar("Key")

_log = structlog.get_logger("reconciler.sign_in")


class SignInRefused(ReconcilerError):
    """Somebody who is not let in. ``wait`` is the seconds after which to try again; 0 where trying helps now."""

    reference = "sign-in-refused"

    def __init__(self, what: str, *, wait: float = 0.0) -> None:
        super().__init__(what, hint="accounts are made on the server: reconciler account add NAME --mail ADDRESS")
        self.wait = wait


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last: float = 0.0
    until: float = 0.0


@dataclass(slots=True)
class _Gathered:
    """Failures since the last record of them."""

    count: int = 0
    since: float = 0.0
    accounts: dict[str, None] = field(default_factory=dict)
    addresses: dict[str, None] = field(default_factory=dict)


class SignIn:
    """Who signs in. Used on the event loop only.

    Args:
        accounts: who there is.
        clock: gives the time in seconds since the epoch.
    """

    def __init__(self, accounts: AccountStore, clock: Callable[[], float]) -> None:
        self._accounts = accounts
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, float] = OrderedDict()
        self._recorded: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._gathered = _Gathered()
        self._hashing = asyncio.Semaphore(_MOST_HASHED)
        self._waiting = 0

    async def account(self, scope: Scope) -> AccountRecord:
        """Return the account that a request signs in by (HTTP Basic, RFC 7617).

        Raises:
            SignInRefused: it names none, its password is wrong, or it has to wait.
        """
        name, password = _credentials(scope)
        address = scope["client"][0] if scope.get("client") else "unknown"
        found = await asyncio.to_thread(self._accounts.find, name)
        kept = found.password if found is not None and found.removed_at is None else ""
        digest = hmac.digest(self._key, "\0".join((name, password, kept)).encode("utf-8", "replace"), "sha256")
        now = self._clock()
        if found is not None and kept and self._known.get(digest, 0.0) > now:
            await self._note(found.name, address, now)
            return found
        self._demand_patience((f"{name}\0{address}", address), now)
        good = await self._verify(password, kept)
        if found is None or not good:
            self._failed(name, address, self._clock())
            raise SignInRefused("the name or the password is not right")
        self._failures.pop(f"{name}\0{address}", None)
        _remember(self._known, digest, now + KNOWN_SECONDS)
        await self._note(found.name, address, now)
        return found

    async def flush(self) -> None:
        """Put failures on record that were gathered: all of them, at the end; now and then, those that are due."""
        gathered, self._gathered = self._gathered, _Gathered()
        if gathered.count:
            facts = {
                "failures": gathered.count,
                "since": gathered.since,
                "accounts": list(gathered.accounts),
                "addresses": list(gathered.addresses),
            }
            await asyncio.to_thread(self._accounts.record, Happened.SIGN_INS_REFUSED, facts, self._clock())

    async def keep_flushing(self) -> None:
        """Put failures on record from time to time, until cancelled."""
        while True:
            await asyncio.sleep(GATHER_SECONDS)
            await self.flush()

    async def _verify(self, password: str, kept: str) -> bool:
        """Hash a password: few at a time, and only so many waiting, since each takes memory and time."""
        if self._waiting >= _MOST_WAITING:
            raise SignInRefused("too many people sign in at this moment", wait=1.0)
        self._waiting += 1
        try:
            async with self._hashing:
                return await asyncio.to_thread(is_password, password, kept)
        finally:
            self._waiting -= 1

    def _demand_patience(self, keys: tuple[str, ...], now: float) -> None:
        wait = max((self._failures[key].until - now for key in keys if key in self._failures), default=0.0)
        if wait > 0:
            raise SignInRefused(f"too many failures: try again in {wait:.0f} s", wait=wait)

    def _failed(self, name: str, address: str, now: float) -> None:
        for key, free in ((f"{name}\0{address}", FREE_FAILURES), (address, FREE_FAILURES_OF_ADDRESS)):
            failures = self._failures.setdefault(key, _Failures())
            self._failures.move_to_end(key)
            failures.count = 1 if now - failures.last > FORGIVEN_SECONDS else failures.count + 1
            failures.last = now
            if failures.count >= free:
                failures.until = now + min(2.0 ** (failures.count - free), LONGEST_WAIT)
        while len(self._failures) > _MOST_REMEMBERED:
            self._failures.popitem(last=False)
        gathered = self._gathered
        gathered.count += 1
        gathered.since = gathered.since or now
        shown = for_terminal(name, _LONGEST_NAME)
        for seen, text in ((gathered.accounts, shown), (gathered.addresses, address)):
            if len(seen) < _MOST_NAMED:
                seen[text] = None
        _log.warning("sign-in refused", account=shown, address=address)

    async def _note(self, name: str, address: str, now: float) -> None:
        if self._recorded.get((name, address), 0.0) > now:
            return
        _remember(self._recorded, (name, address), now + RECORD_SECONDS)
        facts = {"account": name, "address": address}
        await asyncio.to_thread(self._accounts.record, Happened.SIGNED_IN, facts, now)


def _remember(memory: OrderedDict[Key, float], key: Key, until: float) -> None:
    memory[key] = until
    memory.move_to_end(key)
    while len(memory) > _MOST_REMEMBERED:
        memory.popitem(last=False)


def _credentials(scope: Scope) -> tuple[str, str]:
    header = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    scheme, _, encoded = header.partition(b" ")
    if scheme.lower() != b"basic":
        raise SignInRefused("sign in with the name and password of an account")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError) as error:
        raise SignInRefused("the name or the password is not right") from error
    name, _, password = text.partition(":")
    if not password:  # git's first try where the address names somebody: it is no guess, and not counted as one
        raise SignInRefused("sign in with the name and password of an account")
    if len(name) > _LONGEST_NAME or len(password) > _LONGEST_PASSWORD:
        raise SignInRefused("the name or the password is not right")
    return name, password
