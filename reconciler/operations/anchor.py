"""Anchors the audit chain: signs checkpoints of it, and has witnesses outside the database keep them.

Level-triggered: what is due follows from the chain, the last checkpoint and what the witnesses have taken.
The last checkpoint is a file outside the database. A database that was put back to an earlier state, or written
anew, contradicts it, and then no checkpoint is signed.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from reconciler.audit.checkpoint import BadCheckpoint, SignedCheckpoint, key_of, parse_checkpoints, sign
from reconciler.audit.key import KEY_FILE, open_key
from reconciler.audit.merkle import Tree, leaf_of
from reconciler.audit.witnesses import NotWitnessed, Witness, open_witness
from reconciler.grants.credentials import secret_of
from reconciler.site import Site
from reconciler.store.audit import GENESIS

CHECKPOINT_FILE = "checkpoint"
"""The last checkpoint, in the data folder."""

WITNESSES = "auditWitnesses"
"""The fact with what became of each witness."""

TROUBLE = "auditTrouble"
"""The fact with what is wrong with the anchor; empty where nothing is."""

LATE = 2.0
"""How many intervals may pass before people are told that no witness has taken a checkpoint."""

SHORTEST_SECONDS = 60.0
"""Seconds between two checkpoints at least: each may be a mail or a push."""

_FIRST_DELAY, _LONGEST_DELAY = 30.0, 3600.0

_DOUBT_SECONDS = 600.0
"""Seconds after which a chain that was found damaged is read again, whole."""


@dataclass(frozen=True, slots=True)
class WitnessState:
    """What became of a witness. Times are seconds since the epoch.

    ``size`` records are covered by the newest checkpoint that it took, at the time ``at``. ``here`` says why it is
    this machine, and is empty where it is another. ``error`` is why the last try failed, ``next_at`` when the next
    one is due.
    """

    name: str
    since: float
    size: int = 0
    at: float | None = None
    here: str = ""
    failures: int = 0
    next_at: float = 0.0
    error: str = ""


class Anchor:
    """The anchor of one installation. For one thread at a time.

    Args:
        site: the installation.

    Raises:
        BadWitness, CredentialMissing: the settings name a witness that cannot be used.
        CheckpointKeyUnusable: the key cannot be made or read.
    """

    def __init__(self, site: Site) -> None:
        data = site.settings.data
        self._site = site
        self._key: Ed25519PrivateKey = open_key(data / KEY_FILE)
        self._file = data / CHECKPOINT_FILE
        self.witnesses: tuple[Witness, ...] = tuple(
            open_witness(text, data, secret_of) for text in site.settings.audit_witnesses
        )
        self._tree = Tree()
        self._previous = GENESIS
        self._checked = False
        self._doubt: tuple[float, str] | None = None
        known = {state.name: state for state in witness_states(site)}
        now = site.clock()
        self._states = {w.name: known.get(w.name, WitnessState(w.name, now)) for w in self.witnesses}

    def look(self) -> tuple[WitnessState, ...]:
        """Do what is due: sign a checkpoint, have witnesses take it, and keep what became of that.

        Returns:
            the witnesses that took a checkpoint now, or failed to.

        Raises:
            OSError: the data folder cannot be read or written.
        """
        trouble, tried = "", []
        try:
            newest = self._newest()
        except BadCheckpoint as error:
            newest, trouble = None, error.what
            if self._doubt is None or self._doubt[1] != trouble or self._site.clock() >= self._doubt[0]:
                self._doubt = (self._site.clock() + _DOUBT_SECONDS, trouble)
        if newest is not None:
            tried = [self._publish(witness, newest) for witness in self.witnesses if self._is_due(witness, newest)]
        trouble = trouble or self._late()
        self._keep(trouble)
        return tuple(tried)

    def _newest(self) -> SignedCheckpoint | None:
        """Return the newest checkpoint, made now where one is due; ``None`` where there are no records.

        Raises:
            BadCheckpoint: the chain is damaged, or contradicts the last checkpoint.
        """
        now = self._site.clock()
        if self._doubt is not None and now < self._doubt[0]:
            raise BadCheckpoint(self._doubt[1])
        last = last_checkpoint(self._file)
        self._read_on(last)
        self._doubt = None
        if not self._tree.size:
            return None
        settings = self._site.settings
        if last is not None:
            new = self._tree.size - last.checkpoint.size
            age = now - self._file.stat().st_mtime
            soon = new >= settings.checkpoint_records and not 0 <= age < SHORTEST_SECONDS
            if not new or not (soon or not 0 <= age < settings.checkpoint_seconds):
                return last
        made = sign(self._tree.size, self._tree.root(), self._key)
        _write(self._file, made.note, now)  # before anybody has it: what a witness has is never contradicted
        return made

    def _read_on(self, last: SignedCheckpoint | None) -> None:
        """Add the records that are new to the tree, and check them and the last checkpoint on the way."""
        size = last.checkpoint.size if last is not None else 0
        if last is not None and not self._checked:
            last.verify(key_of(self._key))
        head = self._site.audit.head()
        if head.number < self._tree.size or (head.number == self._tree.size and head.hash != self._previous):
            raise _contradiction("the end of the audit chain was cut off or changed while the daemon ran")
        for record in self._site.audit.records(self._tree.size):
            whole = record.number == self._tree.size + 1 and record.previous == self._previous
            if not whole or record.hash != record.rightful_hash:
                raise _contradiction(f"record {record.number} of the audit chain was changed, or some before it")
            self._tree.add(leaf_of(record.hash))
            self._previous = record.hash
            if last is not None and self._tree.size == size:
                self._compare(last)
        if last is not None and self._tree.size < size:
            missing = size - self._tree.size
            self._tree, self._previous, self._checked = Tree(), GENESIS, False
            raise _contradiction(f"the last {missing} of the {size} records that a checkpoint covers are missing")
        self._checked = True

    def _compare(self, last: SignedCheckpoint) -> None:
        if self._checked:
            return
        if self._tree.root() != last.checkpoint.root:
            self._tree, self._previous = Tree(), GENESIS
            raise _contradiction(
                f"the first {last.checkpoint.size} records are not those that a checkpoint covers"
            )

    def _is_due(self, witness: Witness, newest: SignedCheckpoint) -> bool:
        state, now = self._states[witness.name], self._site.clock()
        if now < state.next_at:
            return False
        again = state.at is None or now - state.at >= self._site.settings.checkpoint_seconds
        return again or state.size != newest.checkpoint.size

    def _publish(self, witness: Witness, newest: SignedCheckpoint) -> WitnessState:
        state, now = replace(self._states[witness.name], here=witness.why_here()), self._site.clock()
        try:
            witness.publish(newest)
        except NotWitnessed as error:
            delay = min(_FIRST_DELAY * 2**state.failures, _LONGEST_DELAY)
            state = replace(state, failures=min(state.failures + 1, 20), next_at=now + delay, error=error.what)
        else:
            size = newest.checkpoint.size
            state = replace(state, size=size, at=now, failures=0, next_at=0.0, error="")
        self._states[witness.name] = state
        return state

    def _late(self) -> str:
        """Return what to tell where no witness has taken a checkpoint for too long; empty where one has."""
        if not self._states or not self._tree.size:
            return ""
        now, limit = self._site.clock(), LATE * self._site.settings.checkpoint_seconds
        if any(
            now - (state.at if state.at is not None else state.since) < limit for state in self._states.values()
        ):
            return ""
        errors = "; ".join(f"{state.name}: {state.error or 'not tried'}" for state in self._states.values())
        return f"no witness of the audit chain has taken a checkpoint for {limit / 3600:.0f} h. {errors}"

    def _keep(self, trouble: str) -> None:
        states = json.dumps([asdict(state) for state in self._states.values()])
        for name, value in ((WITNESSES, states), (TROUBLE, trouble)):
            if self._site.revisions.fact(name) != value:
                self._site.revisions.set_fact(name, value)


def witness_states(site: Site) -> tuple[WitnessState, ...]:
    """Return what became of each witness that the daemon was last set to."""
    return tuple(WitnessState(**item) for item in json.loads(site.revisions.fact(WITNESSES) or "[]"))


def last_checkpoint(file: Path) -> SignedCheckpoint | None:
    """Return the checkpoint in a file, the last where there are several; ``None`` where there is no file.

    Raises:
        BadCheckpoint: the file holds none.
    """
    try:
        return parse_checkpoints(file.read_text("utf-8", "replace"), str(file))[-1]
    except FileNotFoundError:
        return None


def _contradiction(what: str) -> BadCheckpoint:
    return BadCheckpoint(
        f"{what}; no checkpoint is signed",
        hint="run reconciler audit verify; after a restore see docs/how-to/anchor-the-audit-chain.md",
    )


def _write(file: Path, text: str, now: float) -> None:
    """Write a file whole, for this account alone, with ``now`` as its time."""
    draft = file.with_name(f"{file.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    os.utime(draft, (now, now))
    draft.replace(file)
