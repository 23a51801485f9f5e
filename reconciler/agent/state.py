"""What the agent remembers beside its journal: its key, its last assignment, what the server has confirmed.

Losing the state file costs a report and an assignment sent again; losing the key costs an enrolment.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from dataclasses import dataclass, replace
from pathlib import Path

from reconciler.agent.durable import write_atomically
from reconciler.kernel.assignment import Assignment
from reconciler.kernel.wire import WireError, decode, encode

_BOOT_TOLERANCE = 120
"""Seconds by which the clock may be set right without the boot time being taken for another one."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What outlives a restart.

    ``confirmed_report`` is the digest of the last report that the server has. ``booted_at`` is the boot time as
    first seen. ``reboot_asked`` says for what an installer asked for a reboot since then, and
    ``reboot_asked_by`` for which package; they are empty where none did. ``assignment_digest`` is what the
    server called the assignment by. ``boot_seen`` is the boot time as last seen by the machine's own clock, and
    ``clock_offset`` by how many seconds the server's clock is ahead of that one. ``starts`` counts the starts of
    the agent.
    """

    assignment: Assignment | None = None
    assignment_digest: str = ""
    confirmed_report: str = ""
    booted_at: int = 0
    reboot_asked: str = ""
    reboot_asked_by: str = ""
    boot_seen: int = 0
    clock_offset: int = 0
    starts: int = 0


class AgentState:
    """`Remembered`, on disk. Each change is on disk when the call returns."""

    def __init__(self, data: Path) -> None:
        self._path = data / "state.json"
        self._key_path = data / "key"
        self._remembered = self._load()
        self._clock_ahead: float | None = None

    @property
    def remembered(self) -> Remembered:
        """What is remembered now."""
        return self._remembered

    def key(self) -> str | None:
        """Return the host's key, or ``None`` before there is one."""
        try:
            return self._key_path.read_text("ascii").strip() or None
        except (FileNotFoundError, UnicodeDecodeError):
            return None

    def ensure_key(self) -> str:
        """Return the host's key; make one where there is none. It is kept before it is ever sent."""
        key = self.key()
        if key is None:
            key = secrets.token_urlsafe(32)
            write_atomically(self._key_path, key)
        return key

    def count_start(self) -> int:
        """Count a start of the agent, and return its number."""
        self._keep(replace(self._remembered, starts=self._remembered.starts + 1))
        return self._remembered.starts

    def keep_assignment(self, assignment: Assignment, digest: str) -> None:
        """Remember the assignment to work from, and the digest that the server gave with it."""
        self._keep(replace(self._remembered, assignment=assignment, assignment_digest=digest))

    def keep_confirmed_report(self, digest: str) -> None:
        """Remember the digest of the report that the server has."""
        self._keep(replace(self._remembered, confirmed_report=digest))

    def keep_reboot_asked(self, package: str, asked_for: str) -> None:
        """Remember that an installer asked for a reboot, for which package, and in what words to say so."""
        self._keep(replace(self._remembered, reboot_asked=asked_for, reboot_asked_by=package))

    def keep_clock_offset(self, offset: float) -> None:
        """Remember by how many seconds the server's clock is ahead of this machine's."""
        self._keep(replace(self._remembered, clock_offset=round(offset)))

    def settle_boot_time(self, seen: int) -> int:
        """Return the boot time to report: steady while the machine runs, although the clock is being set.

        A boot after the one remembered answers what an installer had asked for. A boot time that has moved as far
        as this machine's clock has jumped is no boot; a clock that is set while no agent runs looks like one.
        """
        known = self._remembered
        moved = seen - (known.boot_seen or known.booted_at)
        jumped = self._clock_jump()
        if abs(moved) > _BOOT_TOLERANCE and abs(moved - jumped) <= _BOOT_TOLERANCE:
            known = replace(known, boot_seen=seen)
        elif abs(moved) > _BOOT_TOLERANCE:
            known = replace(known, booted_at=seen, boot_seen=seen, reboot_asked="", reboot_asked_by="")
        self._keep(known)
        return known.booted_at

    def _clock_jump(self) -> float:
        """Return by how many seconds the clock was set since the last call."""
        ahead = time.time() - time.monotonic()
        jump = 0.0 if self._clock_ahead is None else ahead - self._clock_ahead
        self._clock_ahead = ahead
        return jump

    def _keep(self, remembered: Remembered) -> None:
        if remembered != self._remembered:
            write_atomically(self._path, json.dumps(encode(remembered)))
            self._remembered = remembered

    def _load(self) -> Remembered:
        try:
            return decode(Remembered, json.loads(self._path.read_text("utf-8")))
        except FileNotFoundError:
            return Remembered()
        except (ValueError, WireError) as error:
            _log.error("the remembered state in %s cannot be read and is begun anew: %s", self._path, error)
            return Remembered()
