"""Verifies the audit chain, also against signed checkpoints of it, and writes it out. Changes nothing."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO

from reconciler.audit.checkpoint import Checkpoint
from reconciler.audit.merkle import Tree, leaf_of
from reconciler.kernel.errors import ReconcilerError
from reconciler.site import Site
from reconciler.store.audit import GENESIS, StoredRecord

_HASH = re.compile("[0-9a-f]{64}")
_FIELDS = ("number", "at", "kind", "facts", "previous", "hash")

MOST_FAULTS = 20
"""Faults that are told: after a break most records that follow may be in doubt."""


class BadHead(ReconcilerError):
    """A head that is not written as ``NUMBER:HASH``."""

    reference = "bad-head"


@dataclass(frozen=True, slots=True)
class Head:
    """The number and the hash of a record: whoever keeps them elsewhere can prove what came before it."""

    number: int
    hash: str

    @classmethod
    def parse(cls, text: str) -> Head:
        """Read a head as `verify_audit` gives it, ``NUMBER:HASH``.

        Raises:
            BadHead: it is not written so.
        """
        number, _, digest = text.strip().partition(":")
        if not number.isdecimal() or _HASH.fullmatch(digest.lower()) is None:
            raise BadHead(f"{text!r} is no head of the chain", hint="write NUMBER:HASH, as audit verify prints it")
        return cls(int(number), digest.lower())

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"


@dataclass(frozen=True, slots=True)
class ChainFault:
    """A record of which the chain shows that it was changed, or that others before it were taken out."""

    number: int
    what: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What became of a verification: how many records there are, the head, and the first faults."""

    records: int
    head: Head
    faults: tuple[ChainFault, ...]

    @property
    def intact(self) -> bool:
        """Whether nothing was changed, taken out or added since it was written."""
        return not self.faults


def verify_audit(site: Site, known: Head | None = None, checkpoints: Sequence[Checkpoint] = ()) -> Verification:
    """Verify the whole chain.

    Without a head or a checkpoint that was kept elsewhere, a chain whose end was cut off looks like a shorter one,
    and a chain that was written anew looks like any other.

    Args:
        site: the installation.
        known: a head that was noted before; the chain must hold it.
        checkpoints: checkpoints whose signatures were verified; the chain must have all records that they cover.
    """
    wanted: dict[int, list[Checkpoint]] = {}
    for checkpoint in checkpoints:
        wanted.setdefault(checkpoint.size, []).append(checkpoint)
    tree = Tree()
    unlike = _unlike(tree, wanted)
    faults: list[ChainFault] = []
    previous, number, count = GENESIS, 0, 0
    found_known = known is None or (known.number == 0 and known.hash == GENESIS)
    for record in site.audit.records():
        count += 1
        faults += _faults_of(record, number, previous)
        number, previous = record.number, record.hash
        tree.add(leaf_of(record.rightful_hash))
        unlike += _unlike(tree, wanted)
        if known is not None and record.number == known.number:
            found_known = True
            if record.hash != known.hash:
                faults.append(ChainFault(record.number, "its hash is not the one that was noted"))
    if not found_known and known is not None:
        faults.append(ChainFault(known.number, "this record is missing: the end of the chain was cut off"))
    # The first checkpoint that does not fit says where the change begins; those after it cannot fit either.
    faults = [*unlike[:1], *_cut_off(count, checkpoints), *faults]
    return Verification(count, Head(number, previous), tuple(faults[:MOST_FAULTS]))


def audit_as_json_lines(site: Site) -> Iterator[str]:
    """Yield the chain as JSON objects, a line each, the oldest first; ``facts`` is the text that is hashed."""
    for record in site.audit.records():
        yield json.dumps(dict(zip(_FIELDS, _values(record), strict=True)), ensure_ascii=False)


def audit_as_csv(site: Site) -> Iterator[str]:
    """Yield the chain as lines of CSV, a header and then the oldest record first."""
    yield _csv_line(_FIELDS)
    for record in site.audit.records():
        yield _csv_line(_values(record))


def _unlike(tree: Tree, wanted: dict[int, list[Checkpoint]]) -> list[ChainFault]:
    """Return whether the records so far are not those that the checkpoints of this size cover."""
    found = wanted.get(tree.size)
    if found is None or all(checkpoint.root == tree.root() for checkpoint in found):
        return []
    what = (
        f"the records up to this one are not the {tree.size} that a checkpoint covers: the chain was written anew"
    )
    return [ChainFault(tree.size, what)]


def _cut_off(count: int, checkpoints: Sequence[Checkpoint]) -> list[ChainFault]:
    size = max((checkpoint.size for checkpoint in checkpoints), default=0)
    if size <= count:
        return []
    what = f"{size - count} of the {size} records that a checkpoint covers are missing: the end was cut off"
    return [ChainFault(size, what)]


def _faults_of(record: StoredRecord, number: int, previous: str) -> Iterator[ChainFault]:
    if record.number != number + 1:
        yield ChainFault(record.number, f"the {record.number - number - 1} record(s) before it are missing")
    elif record.previous != previous:
        yield ChainFault(record.number, "it does not follow the record before it, which was changed or replaced")
    if record.hash != record.rightful_hash:
        yield ChainFault(record.number, f"its content ({record.kind}) is not what was hashed: it was changed")


def _values(record: StoredRecord) -> tuple[object, ...]:
    return tuple(getattr(record, name) for name in _FIELDS)


def _csv_line(values: Iterable[object]) -> str:
    line = StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()
