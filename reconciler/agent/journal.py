"""The journal of attempts, on disk: each is recorded before it starts. Decides nothing.

JSON lines, each on the disk before the call returns. What the server has confirmed is dropped when the journal is
compacted; the tallies (how often a goal was tried in vain) are derived from the attempts and kept.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.agent.durable import write_atomically
from reconciler.kernel.attempts import SUCCESSES, ActionResult, Attempt, Tally, count
from reconciler.kernel.steps import Action, Step
from reconciler.kernel.wire import WireError, decode, encode

_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
_COMPACT_ABOVE = 256 * 1024
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class OpenAttempt:
    """An attempt that has started and not ended.

    ``run`` and ``run_action`` name the folder and the action of the last installer run that was begun;
    ``results`` are those of the runs that ended.
    """

    attempt: Attempt
    step: Step
    run: str | None = None
    run_action: Action | None = None
    results: list[ActionResult] = field(default_factory=list)


class Journal:
    """The attempts of one host. Its methods may be called from several threads."""

    def __init__(self, path: Path) -> None:
        """Read the journal at ``path``, or begin one. A torn last line is dropped; a damaged file is set aside.

        Raises:
            OSError: the journal cannot be read or written.
        """
        self._path = path
        self._lock = threading.Lock()
        self._open: OpenAttempt | None = None
        self._unconfirmed: dict[str, Attempt] = {}
        self._tallies: dict[str, Tally] = {}
        damaged = self._replay()
        if damaged:
            aside = path.with_name(f"{path.name}.damaged")
            path.replace(aside)
            _log.error("the journal was damaged; its readable part is kept, the file is set aside as %s", aside)
        self._compact()

    @property
    def open_attempt(self) -> OpenAttempt | None:
        """The attempt that has not ended, if any."""
        with self._lock:
            return self._open

    @property
    def unconfirmed(self) -> tuple[Attempt, ...]:
        """The attempts that have ended and that the server has not confirmed, oldest first."""
        with self._lock:
            return tuple(self._unconfirmed.values())

    @property
    def tallies(self) -> tuple[Tally, ...]:
        """How often each package's last goal was tried in vain."""
        with self._lock:
            return tuple(self._tallies[package] for package in sorted(self._tallies))

    def start(self, attempt: Attempt, step: Step) -> OpenAttempt:
        """Record that an attempt starts, and return it, kept up to date. Nothing of it may have run yet."""
        self._append({"kind": "started", "attempt": encode(attempt), "step": encode(step)})
        assert self._open is not None
        return self._open

    def run(self, folder: str, action: Action) -> None:
        """Record that an installer run is about to start. ``folder`` is the name of its folder."""
        self._append({"kind": "run", "folder": folder, "action": encode(action)})

    def ran(self, result: ActionResult) -> None:
        """Record what the installer run returned."""
        self._append({"kind": "ran", "result": encode(result)})

    def end(self, attempt: Attempt) -> None:
        """Record that the attempt ended. ``attempt`` has its outcome and its end."""
        self._append({"kind": "ended", "attempt": encode(attempt)})

    def confirm(self, ids: tuple[str, ...]) -> None:
        """Record that the server has the ended attempts of these ids."""
        if not ids:
            return
        self._append({"kind": "confirmed", "ids": list(ids)})
        if self._path.stat().st_size > _COMPACT_ABOVE:
            with self._lock:
                self._compact()

    def _append(self, record: dict[str, Any]) -> None:
        line = (json.dumps(record, separators=(",", ":")) + "\n").encode("ascii")
        with self._lock:
            handle = os.open(self._path, _APPEND, 0o600)
            try:
                if os.write(handle, line) != len(line):
                    raise OSError(f"the journal took only a part of a record: {self._path}")
                os.fsync(handle)
            finally:
                os.close(handle)
            self._apply(record)

    def _replay(self) -> bool:
        """Read what is on disk; return whether a line in its midst could not be understood."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return False
        *lines, torn = content.split(b"\n")
        if torn:
            _log.warning("the journal's last record was cut off and is dropped")
        damaged = False
        for number, line in enumerate(lines, 1):
            try:
                self._apply(json.loads(line))
            except (ValueError, KeyError, TypeError, WireError) as error:
                _log.warning("line %d of the journal cannot be understood: %s", number, error)
                damaged = True
        return damaged

    def _apply(self, record: dict[str, Any]) -> None:
        kind = record["kind"]
        if kind == "started":
            self._open = OpenAttempt(decode(Attempt, record["attempt"]), decode(Step, record["step"]))
        elif kind == "run" and self._open is not None:
            self._open.run, self._open.run_action = str(record["folder"]), decode(Action, record["action"])
        elif kind == "ran" and self._open is not None:
            self._open.results.append(decode(ActionResult, record["result"]))
            self._open.run = self._open.run_action = None
        elif kind == "ended":
            self._end(decode(Attempt, record["attempt"]))
        elif kind == "confirmed":
            for attempt_id in record["ids"]:
                self._unconfirmed.pop(attempt_id, None)
        elif kind == "unconfirmed":
            attempt = decode(Attempt, record["attempt"])
            self._unconfirmed[attempt.id] = attempt
        elif kind == "tally":
            tally = decode(Tally, record["tally"])
            self._tallies[tally.package] = tally

    def _end(self, attempt: Attempt) -> None:
        self._open = None
        self._unconfirmed[attempt.id] = attempt
        if attempt.outcome in SUCCESSES:
            self._tallies.pop(attempt.package, None)
        elif attempt.outcome is not None and attempt.ended_at is not None:
            self._tallies[attempt.package] = count(self._tallies.get(attempt.package), attempt)

    def _compact(self) -> None:
        records: list[dict[str, Any]] = [{"kind": "tally", "tally": encode(t)} for t in self._tallies.values()]
        records += [{"kind": "unconfirmed", "attempt": encode(a)} for a in self._unconfirmed.values()]
        if (open_ := self._open) is not None:
            records.append({"kind": "started", "attempt": encode(open_.attempt), "step": encode(open_.step)})
            records += [{"kind": "ran", "result": encode(result)} for result in open_.results]
            if open_.run is not None and open_.run_action is not None:
                records.append({"kind": "run", "folder": open_.run, "action": encode(open_.run_action)})
        write_atomically(self._path, "".join(json.dumps(r, separators=(",", ":")) + "\n" for r in records))
