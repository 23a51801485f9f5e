"""Keeps on the audit chain what is held, and what went on past a check."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from reconciler.kernel.assignment import Hold
from reconciler.store.audit import Happened, append
from reconciler.store.database import Database
from reconciler.store.tables import facts

_HELD = "held"


@dataclass(frozen=True, slots=True)
class Override:
    """Something that goes on past a check. ``by`` is who wants that, ``of`` what it is about."""

    what: str
    by: str
    reason: str
    of: Mapping[str, Any]


class HoldStore:
    """Writes holds and overrides down as they come about."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, holds: Mapping[str, Hold], revision: str, now: float) -> None:
        """Keep what is held now, and put on the chain what is new of it. Doing it again changes nothing.

        Args:
            holds: by what is held: ``environment NAME`` or ``host NAME``.
            revision: the commit that says so.
            now: seconds since the epoch.
        """
        wanted = {name: {"reason": hold.reason, "until": hold.until} for name, hold in sorted(holds.items())}
        document = json.dumps(wanted)
        with self._database.write() as connection:
            before = connection.scalar(sa.select(facts.c.value).where(facts.c.name == _HELD))
            if before == document or (before is None and not wanted):
                return
            known = json.loads(before) if before is not None else {}
            changed = [name for name in sorted({*known, *wanted}) if known.get(name) != wanted.get(name)]
            told = [{"held": name, "hold": wanted.get(name), "commit": revision} for name in changed]
            append(connection, now, Happened.HOLD_CHANGED, told)
            statement = insert(facts).values(name=_HELD, value=document)
            connection.execute(
                statement.on_conflict_do_update(index_elements=[facts.c.name], set_={"value": document})
            )

    def record_override(self, override: Override, now: float) -> None:
        """Put on the chain that something goes on past a check."""
        told = {"what": override.what, "by": override.by, "reason": override.reason, **override.of}
        with self._database.write() as connection:
            append(connection, now, Happened.OVERRIDDEN, [told])
