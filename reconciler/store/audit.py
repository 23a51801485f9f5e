"""The audit chain: what happened, each record with the hash of the one before. Append-only; written with the fact.

A record is appended in the very transaction that keeps what it tells of, so neither is ever there without the
other. Whoever changes or takes out a record would have to change all that follow; whoever cuts the end off is
found out by the number and hash of a head that was noted elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from reconciler.store.database import Database
from reconciler.store.tables import audit

GENESIS = "0" * 64
"""Stands for the hash before the first record."""

_PAGE = 1000


class Happened(StrEnum):
    """What a record tells of.

    ``REVISION_SEEN``: a new head of the branch, and what became of it. ``TOKEN_MADE``: an enrolment token.
    ``HOST_ENROLLED``: a host with its key. ``REPLACEMENT_ASKED``, ``REPLACEMENT_REFUSED`` and ``HOST_REPLACED``:
    a request to replace a host's key or environment, and what became of it. ``AGENT_WENT_BACK``: an agent that
    continues from an earlier state. ``MACHINE_QUARANTINED``, ``MACHINE_APPROVED`` and ``MACHINE_REFUSED``: a
    second machine with a host's key, and what a person decided. ``ASSIGNED``: what hosts should have from now on.
    ``ATTEMPT_BEGUN`` and ``ATTEMPT_ENDED``: a try at a step, as the host told it. ``RETRY_ASKED``: tries to be
    counted afresh.
    ``EVIDENCE_SEEN``: what the forge said of the change that a commit came by. ``DECIDED``: whether a commit may
    count for an environment. ``ADMITTED``: how far an environment goes, or that it waits. ``HOLD_CHANGED``: a hold
    that was put on, changed or lifted. ``OVERRIDDEN``: something that went on past a check, by whom and why.
    ``ACCOUNT_ADDED``, ``PASSWORD_MADE`` and ``ACCOUNT_REMOVED``: somebody who may sign in. ``SIGNED_IN`` and
    ``SIGN_INS_REFUSED``: who did, and how often that failed. ``PUSHED``: a moved ref of the hosted repository.
    ``CHANGE_OPENED``, ``CHANGE_REVIEWED``, ``CHANGE_MERGED`` and ``CHANGE_CLOSED``: the built-in review.
    """

    REVISION_SEEN = "revisionSeen"
    TOKEN_MADE = "tokenMade"  # noqa: S105 - no token
    HOST_ENROLLED = "hostEnrolled"
    REPLACEMENT_ASKED = "replacementAsked"
    REPLACEMENT_REFUSED = "replacementRefused"
    HOST_REPLACED = "hostReplaced"
    AGENT_WENT_BACK = "agentWentBack"
    MACHINE_QUARANTINED = "machineQuarantined"
    MACHINE_APPROVED = "machineApproved"
    MACHINE_REFUSED = "machineRefused"
    ASSIGNED = "assigned"
    ATTEMPT_BEGUN = "attemptBegun"
    ATTEMPT_ENDED = "attemptEnded"
    RETRY_ASKED = "retryAsked"
    EVIDENCE_SEEN = "evidenceSeen"
    DECIDED = "decided"
    ADMITTED = "admitted"
    HOLD_CHANGED = "holdChanged"
    OVERRIDDEN = "overridden"
    ACCOUNT_ADDED = "accountAdded"
    PASSWORD_MADE = "passwordMade"  # noqa: S105 - no password
    ACCOUNT_REMOVED = "accountRemoved"
    SIGNED_IN = "signedIn"
    SIGN_INS_REFUSED = "signInsRefused"
    PUSHED = "pushed"
    CHANGE_OPENED = "changeOpened"
    CHANGE_REVIEWED = "changeReviewed"
    CHANGE_MERGED = "changeMerged"
    CHANGE_CLOSED = "changeClosed"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One record. ``at`` is when it was written, in seconds since the epoch; ``hash`` covers all else in it."""

    number: int
    at: float
    kind: str
    facts: Mapping[str, Any]
    previous: str
    hash: str


def append(connection: sa.Connection, at: float, kind: Happened, facts: Iterable[Mapping[str, Any]]) -> None:
    """Append records to the chain, in the transaction that ``connection`` is in.

    Args:
        connection: a connection from `Database.write`: the write lock keeps the chain from forking.
        at: now, in seconds since the epoch.
        kind: what happened.
        facts: JSON-ready data, one for each record. It is stored in ASCII, so that no text of others in it can
            steer a terminal, and lone surrogates can be stored.
    """
    entries = [json.dumps(item, sort_keys=True, separators=(",", ":")) for item in facts]
    if not entries:
        return
    last = connection.execute(
        sa.select(audit.c.number, audit.c.hash).order_by(audit.c.number.desc()).limit(1)
    ).one_or_none()
    number, previous = (last.number, last.hash) if last is not None else (0, GENESIS)
    rows = []
    for text in entries:
        number += 1
        found = chain_hash(previous, number, at, kind, text)
        rows.append({"number": number, "at": at, "kind": kind, "facts": text, "previous": previous, "hash": found})
        previous = found
    connection.execute(sa.insert(audit), rows)


def chain_hash(previous: str, number: int, at: float, kind: str, facts: str) -> str:
    """Return the hash of a record.

    Args:
        previous: the hash of the record before.
        number: its number.
        at: when it was written.
        kind: what happened.
        facts: its facts, as they are stored.
    """
    content = json.dumps([previous, number, at, kind, facts], separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as it is stored, before anything is believed of it; ``facts`` is a text."""

    number: int
    at: float
    kind: str
    facts: str
    previous: str
    hash: str

    @property
    def rightful_hash(self) -> str:
        """The hash that it should have."""
        return chain_hash(self.previous, self.number, self.at, self.kind, self.facts)


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The number and the hash of the newest record; 0 and `GENESIS` where there is none."""

    number: int
    hash: str


class AuditStore:
    """Reads the chain. Writing is for those who keep the facts: `append`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def head(self) -> ChainHead:
        """Return the newest record's number and hash."""
        query = sa.select(audit.c.number, audit.c.hash).order_by(audit.c.number.desc()).limit(1)
        with self._database.read() as connection:
            last = connection.execute(query).one_or_none()
        return ChainHead(last.number, last.hash) if last is not None else ChainHead(0, GENESIS)

    def records(self, after: int = 0) -> Iterator[StoredRecord]:
        """Yield every record in its order, read page by page: others may write meanwhile.

        Args:
            after: only those with a higher number.
        """
        while True:
            query = sa.select(audit).where(audit.c.number > after).order_by(audit.c.number).limit(_PAGE)
            with self._database.read() as connection:
                page = [StoredRecord(**row._mapping) for row in connection.execute(query)]
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].number
