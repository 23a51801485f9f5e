"""Decides which start of an agent speaks for a host. Tells restarts, reverted snapshots and clones apart. Pure.

A key proves a host's name, and so does a copy of the key. An agent therefore draws a random name for each of its
starts, its *run*, and counts its starts on disk. A restart has a new run and a higher number. A reverted snapshot
has a lower number, and the run before it never speaks again. Two machines with one key speak in turns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from reconciler.store.audit import Happened
from reconciler.store.machines import MachineRecord, MachineState

TURNS = 2
"""How often each of two runs must have come back before they count as two machines.

Once may happen to one machine: a request that was long under way, or a snapshot taken with its memory."""

MOST_RETURNS = 4
"""How often one run may come back: the other machine may call itself something else at each request."""

REMEMBERED_RUNS = 64
"""Former runs of a host that are remembered, and quarantined ones that are kept apart: far more than a host may
start between two check-ins of another machine with its key."""

_SAID = re.compile(r"(?P<run>[0-9a-f]{16,64}) (?P<start>[0-9]{1,9})(?: (?P<machine>[0-9a-f]{0,64}))?")


@dataclass(frozen=True, slots=True)
class Start:
    """What an agent says of itself in the header of a request. ``run`` is empty for one that says nothing."""

    run: str
    number: int = 0
    machine: str = ""


def parse_start(header: bytes) -> Start:
    """Return what the header says; a start without a run where it is missing or malformed."""
    match = _SAID.fullmatch(header.decode("latin-1"))
    return Start(match["run"], int(match["start"]), match["machine"] or "") if match is not None else Start("")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is known of a host's agent after it spoke: all its runs, and what the audit chain is told, if anything.

    ``refused`` says why the one that spoke gets nothing; empty where it speaks for the host.
    """

    records: tuple[MachineRecord, ...]
    happened: Happened | None
    refused: str
    changed: bool = True


def judge(known: Sequence[MachineRecord], start: Start, host: str, address: str, now: float) -> Judgement:
    """Judge a start of an agent that is not the one that spoke last.

    Args:
        known: the runs on record, the oldest first.
        start: the one that speaks now.
        host: the host's name.
        address: where it speaks from.
        now: seconds since the epoch.
    """
    current = next((record for record in known if record.state is MachineState.CURRENT), None)
    seen = next((record for record in known if record.run == start.run), None)
    new = MachineRecord(host, start.run, start.number, start.machine, address, now)
    if current is None:
        return _let_in(known, seen or new, None)
    if seen is None:
        return _judge_new(known, current, new)
    if seen.state is MachineState.CURRENT:
        return Judgement(tuple(known), None, "", changed=False)
    if seen.state is MachineState.FORMER:
        return _judge_return(known, current, replace(seen, came_back=seen.came_back + 1))
    return Judgement(tuple(known), None, seen.why or "a person has refused this machine", changed=False)


def _judge_new(known: Sequence[MachineRecord], current: MachineRecord, new: MachineRecord) -> Judgement:
    if any(record.state is MachineState.QUARANTINED for record in known):
        why = "two machines use this host's key, and which of them has started now is unknown"
        return _quarantine(known, current, new, why)
    if new.machine and current.machine and new.machine != current.machine:
        why = "the agent runs on another machine than before: its MachineGuid differs"
        return _quarantine(known, current, new, why)
    went_back = new.start <= current.start
    return _let_in(known, new, Happened.AGENT_WENT_BACK if went_back else None)


def _judge_return(known: Sequence[MachineRecord], current: MachineRecord, back: MachineRecord) -> Judgement:
    if min(back.came_back, current.came_back) < TURNS and back.came_back < MOST_RETURNS:
        return _let_in(known, back, Happened.AGENT_WENT_BACK)
    first, second = sorted((back, current), key=lambda record: record.first_seen)
    why = f"two machines use this host's key in turns, the other one from {first.address}"
    judged = _quarantine(known, replace(first, state=MachineState.CURRENT), second, why)
    return replace(judged, refused=why if second is back else "")


def _let_in(known: Sequence[MachineRecord], chosen: MachineRecord, happened: Happened | None) -> Judgement:
    others = [
        replace(record, state=MachineState.FORMER) if record.state is MachineState.CURRENT else record
        for record in known
        if record.run != chosen.run
    ]
    return Judgement(_bounded(others, replace(chosen, state=MachineState.CURRENT)), happened, "")


def _quarantine(
    known: Sequence[MachineRecord], current: MachineRecord, second: MachineRecord, why: str
) -> Judgement:
    if sum(record.state is MachineState.QUARANTINED for record in known) >= REMEMBERED_RUNS:
        return Judgement(tuple(known), None, why, changed=False)
    others = [record for record in known if record.run not in (current.run, second.run)]
    kept_apart = replace(second, state=MachineState.QUARANTINED, why=why)
    return Judgement(_bounded([*others, kept_apart], current), Happened.MACHINE_QUARANTINED, why)


def _bounded(others: Sequence[MachineRecord], current: MachineRecord) -> tuple[MachineRecord, ...]:
    formers = [record for record in others if record.state is not MachineState.QUARANTINED]
    apart = [record for record in others if record.state is MachineState.QUARANTINED]
    return tuple(sorted((*formers[-REMEMBERED_RUNS:], *apart, current), key=lambda record: record.first_seen))
