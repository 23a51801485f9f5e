"""Lets a host in: a one-time token against a key of the host's own."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import replace

from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.protocol import EnrolRequest, hash_key
from reconciler.store.hosts import Enrolled, Enrolment, EnrolmentToken, HostRecord, HostStore
from reconciler.store.replacements import Asking, ReplacementState, ReplacementStore

TOKEN_LIFETIME = 7 * 24 * 3600.0
"""Seconds that an enrolment token can be used."""

_HOST_NAME = re.compile(r"[A-Z0-9](?:[A-Z0-9._-]{0,252}[A-Z0-9])?")
_KEY_HASH = re.compile(r"[0-9a-f]{64}")


class EnrolmentRefused(ReconcilerError):
    """A host that may not enrol."""

    reference = "enrolment-refused"


class DecisionAwaited(EnrolmentRefused):
    """A request that would replace a known host: a person must decide on it, or has refused it."""

    reference = "decision-awaited"


class PlacementUnknown(ReconcilerError):
    """Nobody can tell now which environment a host belongs to: it is to ask again."""

    reference = "placement-unknown"


def issue_token(hosts: HostStore, environment: str, now: float, host: str | None = None) -> str:
    """Make a token with which one host can enrol into ``environment``, and return it; only its hash is kept.

    Args:
        hosts: where it is kept.
        environment: the environment that the host will belong to.
        now: seconds since the epoch.
        host: the only host that may use it; it may also replace that host's key. ``None`` for any new host.
    """
    token = secrets.token_urlsafe(32)
    name = host.upper() if host is not None else None
    made = EnrolmentToken(hash_key(token), environment, now + TOKEN_LIFETIME, None, None, name)
    hosts.add_token(made, now)
    return token


Placement = Callable[[str], str | None]
"""Says which environment the desired state puts a host into, by its name; ``None`` where no file names it.

Raises `PlacementUnknown` where the desired state is not at hand: a host must not get in by a token of another
environment than a file puts it into.
"""


class Enrolments:
    """Lets hosts in.

    Args:
        hosts: where hosts and tokens are kept.
        replacements: where requests wait that would replace a host's key or environment.
        placement: where the desired state puts hosts: a token of another environment does not let one in.
    """

    def __init__(self, hosts: HostStore, replacements: ReplacementStore, placement: Placement) -> None:
        self._hosts = hosts
        self._replacements = replacements
        self._placement = placement

    def enrol(self, request: EnrolRequest, address: str, now: float) -> HostRecord:
        """Enrol a host. The same host with the same token and key may ask again: its answer may have got lost.

        A known host with another key or environment is replaced only with a token that was made for its name.
        With any other token the request waits for a person's decision, and the host asks again until then.

        Args:
            request: what the host sent.
            address: where it came from.
            now: seconds since the epoch.

        Raises:
            EnrolmentRefused: the request is malformed, or its token unknown, expired, made for another host or
                used by another.
            DecisionAwaited: a person must decide first, or has refused.
            PlacementUnknown: nobody can tell now where the host belongs.
        """
        name = request.host.upper()
        if _HOST_NAME.fullmatch(name) is None:
            raise EnrolmentRefused("the host name is not one that Windows allows", where=repr(request.host[:80]))
        if _KEY_HASH.fullmatch(request.key_sha256) is None:
            raise EnrolmentRefused("the key's hash is malformed", where=name)
        asking = Enrolment(name, request.key_sha256, address)
        token = self._good_token(request.token, asking, now)
        named_in = self._placement(name)
        if named_in is not None and named_in != token.environment:
            raise EnrolmentRefused(
                f"the token is for {token.environment}, but the desired state puts this host into {named_in}",
                where=name,
                hint=f"make a token with: reconciler agent token --environment {named_in}",
            )
        done = self._hosts.enrol(replace(asking, placed=named_in is not None), token, now)
        if done is Enrolled.TOKEN_USED:
            raise EnrolmentRefused("the enrolment token was used meanwhile", where=name)
        if done is Enrolled.NEEDS_DECISION:
            raise self._await_decision(asking, token, now)
        record = self._hosts.find(name)
        assert record is not None
        return record

    def _good_token(self, text: str, asking: Enrolment, now: float) -> EnrolmentToken:
        name = asking.host
        token = self._hosts.find_token(hash_key(text))
        if token is None:
            raise EnrolmentRefused(
                "the enrolment token is not known here",
                where=name,
                hint="make one with: reconciler agent token --environment …",
            )
        again = token.used_by == name and token.used_key_sha256 == asking.key_sha256
        if token.host is not None and token.host != name:
            raise EnrolmentRefused(
                f"the enrolment token was made for {token.host}",
                where=name,
                hint=f"make one with: reconciler agent token --environment … --host {name}",
            )
        if token.used_by is not None and not again:
            raise EnrolmentRefused(
                f"the enrolment token was used by {token.used_by}",
                where=name,
                hint="each host needs one of its own",
            )
        if token.expires_at < now and not again:
            raise EnrolmentRefused("the enrolment token has expired", where=name, hint="make a new one")
        return token

    def _await_decision(self, asking: Enrolment, token: EnrolmentToken, now: float) -> DecisionAwaited:
        request = self._replacements.ask(
            Asking(asking.host, asking.key_sha256, token.environment, token.shown, asking.address), now
        )
        if request.state is not ReplacementState.PENDING:
            return DecisionAwaited(
                f"{request.decided_by} decided on this request: {request.state}",
                where=asking.host,
                hint=f"make a new token with: reconciler agent token --host {asking.host}",
            )
        return DecisionAwaited(
            f"this host is known by another key or in another environment; key {request.fingerprint} waits for a "
            "decision",
            where=asking.host,
            hint=f"on the server: reconciler agent approve {asking.host} {request.fingerprint}",
        )
