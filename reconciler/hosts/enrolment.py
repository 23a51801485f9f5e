"""Lets a host in: a one-time token against a key of the host's own."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.protocol import EnrolRequest, hash_key
from reconciler.store.hosts import HostRecord, HostStore

TOKEN_LIFETIME = 7 * 24 * 3600.0
"""Seconds that an enrolment token can be used."""

_HOST_NAME = re.compile(r"[A-Z0-9](?:[A-Z0-9._-]{0,252}[A-Z0-9])?")
_KEY_HASH = re.compile(r"[0-9a-f]{64}")


class EnrolmentRefused(ReconcilerError):
    """A host that may not enrol."""

    reference = "enrolment-refused"


class PlacementUnknown(ReconcilerError):
    """Nobody can tell now which environment a host belongs to: it is to ask again."""

    reference = "placement-unknown"


def issue_token(hosts: HostStore, environment: str, now: float) -> str:
    """Make a token with which one host can enrol into ``environment``, and return it; only its hash is kept.

    Args:
        hosts: where it is kept.
        environment: the environment that the host will belong to.
        now: seconds since the epoch.
    """
    token = secrets.token_urlsafe(32)
    hosts.add_token(hash_key(token), environment, now, now + TOKEN_LIFETIME)
    return token


Placement = Callable[[str], str | None]
"""Says which environment the desired state puts a host into, by its name; ``None`` where no file names it.

Raises `PlacementUnknown` where the desired state is not at hand: a host must not get in by a token of another
environment than a file puts it into.
"""


def enrol(hosts: HostStore, placement: Placement, request: EnrolRequest, now: float) -> HostRecord:
    """Enrol a host. The same host with the same token and key may ask again: its answer may have got lost.

    Args:
        hosts: where hosts and tokens are kept.
        placement: where the desired state puts hosts: a token of another environment does not let one in.
        request: what the host sent.
        now: seconds since the epoch.

    Raises:
        EnrolmentRefused: the request is malformed, or its token unknown, expired or used by another.
        PlacementUnknown: nobody can tell now where the host belongs.
    """
    name = request.host.upper()
    if _HOST_NAME.fullmatch(name) is None:
        raise EnrolmentRefused("the host name is not one that Windows allows", where=repr(request.host[:80]))
    if _KEY_HASH.fullmatch(request.key_sha256) is None:
        raise EnrolmentRefused("the key's hash is malformed", where=name)
    token = hosts.find_token(hash_key(request.token))
    if token is None:
        raise EnrolmentRefused(
            "the enrolment token is not known here",
            where=name,
            hint="make one with: reconciler agent token --environment …",
        )
    again = token.used_by == name and token.used_key_sha256 == request.key_sha256
    if token.used_by is not None and not again:
        raise EnrolmentRefused(
            f"the enrolment token was used by {token.used_by}", where=name, hint="each host needs one of its own"
        )
    if token.expires_at < now and not again:
        raise EnrolmentRefused("the enrolment token has expired", where=name, hint="make a new one")
    named_in = placement(name)
    if named_in is not None and named_in != token.environment:
        raise EnrolmentRefused(
            f"the token is for {token.environment}, but the desired state puts this host into {named_in}",
            where=name,
            hint=f"make a token with: reconciler agent token --environment {named_in}",
        )
    if not hosts.enrol(name, request.key_sha256, token, now):
        raise EnrolmentRefused("the enrolment token was used meanwhile", where=name)
    record = hosts.find(name)
    assert record is not None
    return record
