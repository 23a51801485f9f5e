"""Signs people in by name and password: at a bounded cost, slower after failures, on record without a flood.

A password that was verified once is recognised by a keyed digest that only this process can make, until the
account's password changes. That costs nothing, so it comes before every limit: whoever guesses, from whatever
address, keeps nobody out who has signed in since the daemon started. Every other password is hashed, which is slow
on purpose. How often that happens is limited for each address, for each account, and in total. An account's own
place in the queue, from addresses that it signed in from before, is nobody else's to take.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import secrets
from collections import Counter, OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog
from starlette.types import Scope

from reconciler.daemon.connections.addresses import address_group
from reconciler.hosts.vouching import vouch
from reconciler.kernel.errors import ReconcilerError
from reconciler.presentation.terminal import for_terminal
from reconciler.review.passwords import is_password
from reconciler.store.accounts import AccountRecord, AccountStore
from reconciler.store.audit import Happened

RECORD_SECONDS = 3600.0
"""Seconds for which further sign-ins of an account from an address are not put on record again."""

GATHER_SECONDS = 60.0
"""Seconds for which failures are gathered into one record."""

FREE_FAILURES = 5
"""Failures of an account from an address before it has to wait: one second, then twice as long each time."""

FREE_FAILURES_OF_ADDRESS = 20
"""Failures of any accounts from an address before it has to wait."""

FREE_FAILURES_OF_ACCOUNT = 50
"""Failures of an account from all addresses. Beyond them an address has one try at it before it has to wait: more
addresses bring a guesser no more tries, and the account's owner still gets in from anywhere."""

FORGIVEN_SECONDS = 900.0
"""Seconds without a failure after which earlier ones count no longer."""

LONGEST_WAIT = 60.0
"""Seconds to wait after a failure, at most."""

_MOST_REMEMBERED = 10_000
_MOST_NAMED = 10
_LONGEST_SHOWN = 100
_MOST_HASHED = 2
_MOST_WAITING_OF_ONE = 4

_LANES, _MOST_IN_A_LANE = 64, 2
"""Strangers wait in lanes by the name that they give: a crowd that guesses one account keeps no other out."""

_LONGEST_NAME = 64
_LONGEST_PASSWORD = 256

Key = TypeVar("Key")
Value = TypeVar("Value")
T = TypeVar("T")

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

    def add(self, account: str, address: str, now: float) -> None:
        """Count a failure."""
        self.count += 1
        self.since = self.since or now
        for seen, text in ((self.accounts, account), (self.addresses, address)):
            if len(seen) < _MOST_NAMED:
                seen[text] = None

    def with_more(self, later: _Gathered) -> _Gathered:
        """Return these and later ones together."""
        accounts, addresses = {**self.accounts, **later.accounts}, {**self.addresses, **later.addresses}
        first = dict.fromkeys(list(accounts)[:_MOST_NAMED])
        return _Gathered(self.count + later.count, self.since, first, dict.fromkeys(list(addresses)[:_MOST_NAMED]))


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
        self._known: OrderedDict[str, bytes] = OrderedDict()
        self._recorded: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._gathered = _Gathered()
        self._hashing = asyncio.Semaphore(_MOST_HASHED)
        self._waiting: Counter[str] = Counter()
        self._familiar: OrderedDict[str, None] = OrderedDict()
        for name, address in accounts.signed_in_from(_MOST_REMEMBERED):
            _remember(self._familiar, _pair(name, address), None)
        # Threads of its own: whoever guesses keeps neither hosts nor git waiting for one.
        self._threads = ThreadPoolExecutor(_MOST_HASHED, thread_name_prefix="sign-in")

    async def account(self, scope: Scope) -> AccountRecord:
        """Return the account that a request signs in by (HTTP Basic, RFC 7617).

        Raises:
            SignInRefused: it names none, its password is wrong, or it has to wait.
        """
        name, password = _credentials(scope)
        address = address_group(scope["client"][0]) if scope.get("client") else "unknown"
        found = await self._recognised(name, password)
        if found is None:
            found = await self._verified(name, password, address)
        vouch(scope, "account", found.name)
        await self._note(found.name, address, self._clock())
        return found

    async def _recognised(self, name: str, password: str) -> AccountRecord | None:
        """Return the account whose password this is, if it was verified before and is still the same."""
        digest = self._known.get(name)
        if digest is None or not hmac.compare_digest(digest[32:], self._digest(name, password)):
            return None
        found = await self._in_thread(self._accounts.find, name)
        if found is None or found.removed_at is not None or digest[:32] != self._digest(name, found.password):
            self._known.pop(name, None)
            return None
        return found

    async def _verified(self, name: str, password: str, address: str) -> AccountRecord:
        """Return the account whose password this is, by its hash.

        Raises:
            SignInRefused: it is not, or whoever asks has to wait.
        """
        self._demand_patience((_pair(name, address), address), self._clock())
        familiar = _pair(name, address) in self._familiar
        place = _pair(name, address) if familiar else address
        lane = f"lane {self._digest(name, '')[0] % _LANES}"
        full = self._waiting[lane] >= _MOST_IN_A_LANE and not familiar
        if full or self._waiting[place] >= _MOST_WAITING_OF_ONE:
            raise SignInRefused("too many people sign in at this moment", wait=1.0)
        self._waiting.update((place, lane))
        try:
            async with self._hashing:
                found = await self._in_thread(self._accounts.find, name)
                kept = found.password if found is not None and found.removed_at is None else ""
                good = await self._in_thread(is_password, password, kept)
        finally:
            self._waiting -= Counter((place, lane))  # which forgets what is zero
        if found is None or not good:
            self._failed(name, address, self._clock())
            raise SignInRefused("the name or the password is not right")
        self._failures.pop(_pair(name, address), None)
        _remember(self._known, name, self._digest(name, kept) + self._digest(name, password))
        _remember(self._familiar, _pair(name, address), None)
        return found

    def _digest(self, name: str, text: str) -> bytes:
        return hmac.digest(self._key, f"{name}\0{text}".encode("utf-8", "replace"), "sha256")

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    async def flush(self) -> None:
        """Put failures on record that were gathered. Where that fails, they are kept for the next time."""
        gathered, self._gathered = self._gathered, _Gathered()
        if not gathered.count:
            return
        facts = {
            "failures": gathered.count,
            "since": gathered.since,
            "accounts": list(gathered.accounts),
            "addresses": list(gathered.addresses),
        }
        try:
            await self._in_thread(self._accounts.record, Happened.SIGN_INS_REFUSED, facts, self._clock())
        except BaseException:
            self._gathered = gathered.with_more(self._gathered)
            raise

    async def keep_flushing(self) -> None:
        """Put failures on record from time to time, until cancelled."""
        while True:
            await asyncio.sleep(GATHER_SECONDS)
            try:
                await self.flush()
            except Exception as error:  # a full disk, say: the next time may be better
                _log.error("cannot record refused sign-ins", why=str(error)[:300])

    def _demand_patience(self, keys: tuple[str, ...], now: float) -> None:
        wait = max((self._failures[key].until - now for key in keys if key in self._failures), default=0.0)
        if wait > 0:
            raise SignInRefused(f"too many failures: try again in {wait:.0f} s", wait=wait)

    def _failed(self, name: str, address: str, now: float) -> None:
        everywhere = self._add_failure(f"{name}\0", now)
        free = FREE_FAILURES if everywhere <= FREE_FAILURES_OF_ACCOUNT else 1
        self._add_failure(_pair(name, address), now, free)
        self._add_failure(address, now, FREE_FAILURES_OF_ADDRESS)
        while len(self._failures) > _MOST_REMEMBERED:
            self._failures.popitem(last=False)
        shown = for_terminal(name, _LONGEST_SHOWN)
        self._gathered.add(shown, address, now)
        _log.warning("sign-in refused", account=shown, address=address)

    def _add_failure(self, key: str, now: float, free: int | None = None) -> int:
        """Count a failure, and return how many there were; beyond ``free`` of them the key has to wait."""
        failures = self._failures.setdefault(key, _Failures())
        self._failures.move_to_end(key)
        failures.count = 1 if now - failures.last > FORGIVEN_SECONDS else failures.count + 1
        failures.last = now
        if free is not None and failures.count >= free:
            failures.until = now + min(2.0 ** min(failures.count - free, 16), LONGEST_WAIT)
        return failures.count

    async def _note(self, name: str, address: str, now: float) -> None:
        if self._recorded.get((name, address), 0.0) > now:
            return
        _remember(self._recorded, (name, address), now + RECORD_SECONDS)
        facts = {"account": name, "address": address}
        await self._in_thread(self._accounts.record, Happened.SIGNED_IN, facts, now)


def _pair(name: str, address: str) -> str:
    return f"{name}\0{address}"


def _remember(memory: OrderedDict[Key, Value], key: Key, value: Value) -> None:
    memory[key] = value
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
