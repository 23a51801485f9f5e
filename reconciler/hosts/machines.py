"""Keeps apart the machines that speak with one host's key: on record first, then in memory."""

from __future__ import annotations

import threading

import structlog

from reconciler.hosts.identity import Judgement, judge, parse_start
from reconciler.hosts.roster import Member, know_starts
from reconciler.store.audit import Happened
from reconciler.store.machines import MachineState, MachineStore

_log = structlog.get_logger("reconciler.machines")


class Machines:
    """The machines of all hosts.

    Args:
        store: where they are on record.
    """

    def __init__(self, store: MachineStore) -> None:
        self._store = store
        self._lock = threading.Lock()

    def meet(self, member: Member, header: bytes, address: str, now: float) -> str:
        """Take in a start of a host's agent that is not the one that spoke last.

        Args:
            member: the host whose key it has.
            header: what it says of itself.
            address: where it speaks from.
            now: seconds since the epoch.

        Returns:
            why it gets nothing; empty where it speaks for the host.
        """
        start = parse_start(header)
        with self._lock:
            judged = judge(self._store.of(member.name), start, member.name, address, now)
            if judged.changed:
                self._keep(member.name, judged, address, now)
            know_starts(member, judged.records)
        return judged.refused

    def went_back(self, member: Member, address: str, now: float) -> None:
        """Keep that a start of an agent counts its check-ins from an earlier number."""
        with self._lock:
            judged = Judgement(self._store.of(member.name), Happened.AGENT_WENT_BACK, "")
            self._keep(member.name, judged, address, now)

    def _keep(self, host: str, judged: Judgement, address: str, now: float) -> None:
        happened = None
        if judged.happened is not None:
            current = next((record.run for record in judged.records if record.state is MachineState.CURRENT), "")
            happened = (judged.happened, {"host": host, "address": address, "run": current, "why": judged.refused})
            _log.warning(judged.happened, host=host, address=address, why=judged.refused)
        self._store.replace(host, judged.records, happened, now)


def why_barred(member: Member, header: bytes) -> str:
    """Return why the machine that sends this header gets nothing; empty where it may be served."""
    run = header.partition(b" ")[0].decode("latin-1")
    barred = (MachineState.QUARANTINED, MachineState.REFUSED)
    found = next((start for start in member.starts if start.run == run and start.state in barred), None)
    return (found.why or "a person has refused this machine") if found is not None else ""
