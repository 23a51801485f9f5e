"""Reads what proves the audit chain from outside, and says in words how far that proof goes. Changes nothing."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.audit.checkpoint import BadCheckpoint, Checkpoint, VerifierKey, key_of, parse_checkpoints
from reconciler.audit.key import KEY_FILE, load_key
from reconciler.operations.anchor import WitnessState
from reconciler.site import Site


@dataclass(frozen=True, slots=True)
class CheckpointEvidence:
    """Checkpoints whose signatures hold. ``covered`` counts the records that the largest covers, 0 without any."""

    checkpoints: tuple[Checkpoint, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def covered(self) -> int:
        """How many records are proven from outside."""
        return max((checkpoint.size for checkpoint in self.checkpoints), default=0)


def read_checkpoints(site: Site, file: Path | None, key: str | None) -> CheckpointEvidence:
    """Read a file of checkpoints, and verify the signature of each.

    Args:
        site: the installation.
        file: the file, as a witness kept it; ``None`` for no evidence.
        key: the key that must have signed them, as ``audit key`` prints it; ``None`` for the installation's own.

    Raises:
        BadCheckpoint: the file or the key cannot be read, or a signature does not hold.
        CheckpointKeyUnusable: the installation's own key cannot be read.
    """
    if file is None:
        return CheckpointEvidence()
    try:
        text = file.read_text("utf-8", "replace")
    except OSError as error:
        raise BadCheckpoint(f"the file cannot be read: {error.strerror or error}", where=str(file)) from error
    notes = parse_checkpoints(text, str(file))
    verifier, told = _verifier(site, key)
    for note in notes:
        note.verify(verifier)
    checkpoints = tuple(note.checkpoint for note in notes)
    evidence = CheckpointEvidence(checkpoints)
    covered = f"the newest covers {evidence.covered} records"
    said = f"{len(checkpoints)} checkpoint(s) of {verifier.name}, the signatures hold; {covered}"
    return CheckpointEvidence(checkpoints, (said, *told))


def _verifier(site: Site, key: str | None) -> tuple[VerifierKey, tuple[str, ...]]:
    if key is not None:
        return VerifierKey.parse(key), ()
    own = load_key(site.settings.data / KEY_FILE)
    if own is None:
        raise BadCheckpoint(
            "there is no key here to verify checkpoints with",
            where=str(site.settings.data / KEY_FILE),
            hint="give --key, as reconciler audit key printed it on the server",
        )
    return key_of(own), (
        "the signatures were checked with the key of this machine: whoever controls it can sign as well. "
        "Give --key, with the key as you noted it elsewhere",
    )


def what_witnesses_prove(states: Sequence[WitnessState]) -> tuple[str, ...]:
    """Return what the witnesses are, and whether any of them is another machine; in words.

    Args:
        states: the witnesses that the daemon was last set to.
    """
    if not states:
        return (
            "WARNING: there is no witness. Whoever can write to this database can cut off or rewrite the chain, "
            "and nothing elsewhere contradicts it. Set RECONCILER_AUDIT_WITNESSES",
        )
    told = tuple(f"witness {state.name}: {_told(state)}" for state in states)
    taken = [state for state in states if state.at is not None]
    if not taken:
        return (*told, "WARNING: no witness has taken a checkpoint yet, so nothing elsewhere proves the chain")
    if all(state.here for state in taken):
        only = "the only witness is" if len(taken) == 1 else "all witnesses are on"
        return (
            *told,
            f"WARNING: {only} this same machine. Whoever controls it can rewrite chain and witness together. "
            "Add a witness on another machine",
        )
    return told


def _told(state: WitnessState) -> str:
    if state.at is None:
        taken = "has taken no checkpoint yet"
    else:
        when = datetime.datetime.fromtimestamp(state.at, datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
        taken = f"has a checkpoint of {state.size} records since {when}"
    here = f" (this machine: {state.here})" if state.here else ""
    error = f"; the last try failed: {state.error}" if state.error else ""
    return taken + here + error
