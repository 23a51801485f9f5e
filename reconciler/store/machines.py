"""Records of the starts of each host's agent: which one speaks for the host, and which are quarantined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa

from reconciler.store.audit import Happened, append
from reconciler.store.database import Database
from reconciler.store.replacements import count_change
from reconciler.store.tables import machines


class MachineState(StrEnum):
    """What a start of an agent counts for.

    ``CURRENT`` speaks for the host; ``FORMER`` did. ``QUARANTINED`` waits for a person's decision and gets
    nothing meanwhile. ``REFUSED`` gets nothing, by a person's decision.
    """

    CURRENT = "current"
    FORMER = "former"
    QUARANTINED = "quarantined"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class MachineRecord:
    """One start of a host's agent.

    ``run`` names it and ``start`` is its number, as the agent counts. ``machine`` is the fingerprint of the
    machine, empty where unknown, and ``address`` where it was first heard from. ``first_seen`` is in seconds since
    the epoch. ``came_back`` counts how often it spoke again after another had taken its place. ``why`` says why it
    is quarantined.
    """

    host: str
    run: str
    start: int
    machine: str
    address: str
    first_seen: float
    came_back: int = 0
    state: MachineState = MachineState.CURRENT
    why: str = ""


class MachineStore:
    """Reads and writes starts of agents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> dict[str, tuple[MachineRecord, ...]]:
        """Return the starts that are on record, by host, the oldest first."""
        found: dict[str, list[MachineRecord]] = {}
        with self._database.read() as connection:
            for row in connection.execute(sa.select(machines).order_by(machines.c.first_seen)):
                found.setdefault(row.host, []).append(_record(row))
        return {host: tuple(records) for host, records in found.items()}

    def of(self, host: str) -> tuple[MachineRecord, ...]:
        """Return the starts of one host's agent, the oldest first."""
        query = sa.select(machines).where(machines.c.host == host).order_by(machines.c.first_seen)
        with self._database.read() as connection:
            return tuple(_record(row) for row in connection.execute(query))

    def quarantined(self) -> tuple[MachineRecord, ...]:
        """Return the starts that wait for a decision."""
        query = sa.select(machines).where(machines.c.state == MachineState.QUARANTINED)
        with self._database.read() as connection:
            return tuple(_record(row) for row in connection.execute(query.order_by(machines.c.first_seen)))

    def replace(
        self,
        host: str,
        records: Iterable[MachineRecord],
        happened: tuple[Happened, Mapping[str, object]] | None,
        now: float,
    ) -> None:
        """Keep the starts of one host's agent in place of those on record.

        Args:
            host: the host's name.
            records: all that are to be known from now on.
            happened: what the audit chain is to keep of it, and its facts; ``None`` for a mere restart.
            now: seconds since the epoch.
        """
        rows = [{name: getattr(record, name) for name in MachineRecord.__slots__} for record in records]
        with self._database.write() as connection:
            connection.execute(sa.delete(machines).where(machines.c.host == host))
            if rows:
                connection.execute(sa.insert(machines), rows)
            if happened is not None:
                append(connection, now, happened[0], [happened[1]])

    def decide(self, record: MachineRecord, *, approved: bool, by: str, now: float) -> None:
        """Keep a person's decision on a quarantined machine.

        Args:
            record: the machine.
            approved: whether it speaks for the host from now on; those that did are refused then.
            by: who decided.
            now: seconds since the epoch.
        """
        of_host = machines.c.host == record.host
        with self._database.write() as connection:
            if approved:
                rivals = machines.c.state.in_((MachineState.CURRENT, MachineState.QUARANTINED))
                connection.execute(sa.update(machines).where(of_host, rivals).values(state=MachineState.REFUSED))
            state = MachineState.CURRENT if approved else MachineState.REFUSED
            chosen = sa.update(machines).where(of_host, machines.c.run == record.run)
            connection.execute(chosen.values(state=state, came_back=0))
            told = {
                "host": record.host,
                "run": record.run,
                "machine": record.machine,
                "address": record.address,
                "by": by,
            }
            happened = Happened.MACHINE_APPROVED if approved else Happened.MACHINE_REFUSED
            append(connection, now, happened, [told])
            count_change(connection)


def _record(row: sa.Row[tuple[object, ...]]) -> MachineRecord:
    values = dict(row._mapping)
    return MachineRecord(**{**values, "state": MachineState(values["state"])})
