"""Checks what a host reports, value by value, before anything is stored or decided by it. Pure.

A host may report anything: it may be broken, or in wrong hands. A value out of bounds is clamped, text that is no
Unicode is escaped, overlong text is cut, and an item that cannot be read is left out. The rest of the report is
kept. Each of these is noted, for the host's log and the server's.
"""

from __future__ import annotations

import dataclasses
import json
import re
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from reconciler.kernel.attempts import ActionResult, Attempt, Failure, Tally
from reconciler.kernel.observation import InstalledProduct, Observation
from reconciler.kernel.probes import Answer
from reconciler.kernel.wire import WireError, decode

T = TypeVar("T")

ATTEMPTS_OF_A_REPORT = 500
"""Attempts that one report may hold. An agent with more sends them in several reports."""

MOST_NOTES = 50
"""Notes on one report; of more, only the number is given."""

CLOCK_SKEW = 86_400.0
"""Seconds by which a time may lie in the future: the clock of a host that never reached the server may be off."""

_LONGEST_NAME = 256
_LONGEST_DIGEST = 64
_ATTEMPT_ID = re.compile(r"[0-9a-f-]{8,64}")
_NOT_UNICODE = re.compile("[\x00\ud800-\udfff]")

_CUT: dict[tuple[type, str], int] = {
    (ActionResult, "command"): 8192,
    (ActionResult, "message"): 4096,
    (Answer, "text"): 16_384,
    (Attempt, "message"): 4096,
    (Failure, "message"): 4096,
    (InstalledProduct, "name"): 512,
    (Observation, "agent_version"): 64,
    (Observation, "reboot_pending"): 256,
    (Observation, "system"): 256,
    (Tally, "message"): 4096,
}
"""Text for people, and its characters at most: longer text is cut. All other text identifies something, and an
item with more than `_LONGEST_NAME` characters of that is left out: cut, it would name something else."""

_KEYS: dict[tuple[type, str], int] = {(Answer, "probe"): 8192}
"""Text that identifies something and may be longer than a name: the key of a probe holds a command line."""

_MOST: dict[tuple[type, str], int] = {
    (Attempt, "actions"): 100,
    (Observation, "answers"): 2_000,
    (Observation, "patches"): 10_000,
    (Observation, "products"): 5_000,
    (Observation, "reboot_pending"): 100,
    (Observation, "tallies"): 1_000,
}
"""Items of each list at most; the rest is left out."""

_TIMES = frozenset(
    {(Attempt, "started_at"), (Attempt, "ended_at"), (Observation, "booted_at"), (Tally, "last_ended_at")}
)
"""Times in seconds since the epoch: from 0 to a day from now."""

_NUMBERS: dict[tuple[type, str], tuple[int, int]] = {
    (ActionResult, "exit_code"): (-(2**31), 2**32 - 1),
    (Failure, "exit_code"): (-(2**31), 2**32 - 1),
    (Tally, "failures"): (0, 1_000_000),
    (Tally, "waits"): (0, 1_000_000),
}

_DISPENSABLE = frozenset(
    {
        *((kind, name) for kind, name in _CUT if name not in ("reboot_pending", "text", "command")),
        (ActionResult, "exit_class"),
        (Attempt, "actions"),
        (Observation, "booted_at"),
        (Observation, "reboot_asked_by"),
        (Tally, "cause"),
        (Tally, "failure"),
    }
)
"""Fields that stay at their default where they cannot be read. Without any other, the item would mean something
else: an attempt without its outcome would still run."""


@dataclass(frozen=True, slots=True)
class Screened:
    """What can be kept of a report.

    ``observation`` is ``None`` where it could not be read. ``kept`` says whether anything of the report is left,
    and ``notes`` say what was changed or left out.
    """

    observation: Observation | None
    attempts: tuple[Attempt, ...]
    assignment: str
    digest: str
    notes: tuple[str, ...]

    @property
    def kept(self) -> bool:
        """Whether anything of the report can be kept."""
        return self.observation is not None or bool(self.attempts)


def screen_report(data: Any, now: float) -> Screened:
    """Return what can be kept of a report.

    Args:
        data: parsed JSON from a host, or the report of a host that the server has looked at, encoded.
        now: seconds since the epoch.

    Raises:
        WireError: it is no report at all.
    """
    if not isinstance(data, dict) or "observation" not in data:
        raise WireError("this is no report", where="Report")
    screen = _Screen(now + CLOCK_SKEW, now)
    observation = screen.attempt_to_read(Observation, data["observation"], "observation")
    attempts = screen.items(Attempt, data.get("attempts", []), "attempts", ATTEMPTS_OF_A_REPORT)
    return Screened(
        observation,
        attempts,
        screen.digest(data.get("assignment", ""), "assignment"),
        screen.digest(data.get("digest", ""), "digest"),
        screen.notes(),
    )


def read_stored(kind: type[T], document: str) -> T | None:
    """Return an `Observation` or `Attempt` that was stored, whatever it holds: one bad row never breaks a page.

    Args:
        kind: which of the two.
        document: JSON text.

    Returns:
        ``None`` where nothing can be made of it.
    """
    try:
        data = json.loads(document)
    except (ValueError, RecursionError):
        return None
    try:
        found = decode(kind, data)
    except WireError:
        pass
    else:
        if _is_plausible(found):
            return found
    return _Screen(_END_OF_TIME, 0.0).attempt_to_read(kind, data, kind.__name__)


def visible(text: str) -> str:
    r"""Return text with NUL and what is no Unicode written as ``\uNNNN``."""
    return _NOT_UNICODE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


_END_OF_TIME = 32_503_680_000.0
"""The year 3000: what is stored was checked when it came, but maybe by an earlier release."""


def _is_plausible(value: Any) -> bool:
    """Return whether the times and numbers of what was stored are within bounds."""
    if isinstance(value, Observation):
        times: tuple[float, ...] = (value.booted_at, *(tally.last_ended_at for tally in value.tallies))
        numbers: list[tuple[Any, str]] = [
            (tally, name) for tally in value.tallies for name in ("failures", "waits")
        ]
        numbers += [(tally.failure, "exit_code") for tally in value.tallies if tally.failure is not None]
    else:
        times = (value.started_at, value.started_at if value.ended_at is None else value.ended_at)
        numbers = [(action, "exit_code") for action in value.actions]
    return all(0 <= time <= _END_OF_TIME for time in times) and all(
        _NUMBERS[type(item), name][0] <= (getattr(item, name) or 0) <= _NUMBERS[type(item), name][1]
        for item, name in numbers
    )


class _Screen:
    """Reads values of one report and notes what is wrong with them."""

    def __init__(self, latest: float, now: float) -> None:
        self._latest = latest
        self._now = now
        self._notes: list[str] = []
        self._count = 0

    def notes(self) -> tuple[str, ...]:
        more = self._count - len(self._notes)
        return (*self._notes, *((f"and {more} more",) if more else ()))

    def attempt_to_read(self, kind: type[T], data: Any, path: str) -> T | None:
        try:
            return typing.cast(T, self._object(kind, data, path))
        except WireError as error:
            self._note(f"{error.where}: {error.what}; {path} was left out")
            return None

    def items(self, kind: Any, data: Any, path: str, most: int) -> tuple[Any, ...]:
        """Return the items that can be read."""
        if not isinstance(data, list):
            self._note(f"{path}: expected a list, got {_named(data)}; it was left out")
            return ()
        return self._items(lambda item, place: self._value(kind, item, place, None), data, path, most)

    def digest(self, data: Any, path: str) -> str:
        if not isinstance(data, str) or len(data) > _LONGEST_DIGEST:
            self._note(f"{path}: expected text of at most {_LONGEST_DIGEST} characters; it was left out")
            return ""
        return visible(data)

    def _items(self, read: Callable[[Any, str], Any], data: list[Any], path: str, most: int) -> tuple[Any, ...]:
        found = []
        for number, item in enumerate(data[:most]):
            try:
                found.append(read(item, f"{path}[{number}]"))
            except WireError as error:
                self._note(f"{error.where}: {error.what}; {path}[{number}] was left out")
        if len(data) > most:
            self._note(f"{path}: {len(data)} items, {most} at most; the rest was left out")
        return tuple(found)

    def _object(self, kind: Any, data: Any, path: str) -> Any:
        if not isinstance(data, dict):
            raise WireError(f"expected an object, got {_named(data)}", where=path)
        hints = _hints(kind)
        values: dict[str, Any] = {}
        for field in dataclasses.fields(kind):
            place = f"{path}.{field.name}"
            if field.name not in data:
                if field.default is dataclasses.MISSING:
                    raise WireError("it is missing", where=place)
                continue
            try:
                values[field.name] = self._value(hints[field.name], data[field.name], place, (kind, field.name))
            except WireError as error:
                if (kind, field.name) not in _DISPENSABLE or field.default is dataclasses.MISSING:
                    raise
                self._note(f"{error.where}: {error.what}; it was left out")
        if kind is Attempt:
            self._check_attempt(values, path)
        return kind(**values)

    def _check_attempt(self, values: dict[str, Any], path: str) -> None:
        if _ATTEMPT_ID.fullmatch(values["id"]) is None:
            raise WireError("it is no id of an attempt", where=f"{path}.id")
        if (values.get("ended_at") is None) != (values.get("outcome") is None):
            raise WireError("an attempt has both end and outcome, or neither", where=path)
        if values.get("ended_at") is not None and values["ended_at"] < values["started_at"]:
            self._note(f"{path}.ended_at: before the start; the start counts")
            values["ended_at"] = values["started_at"]

    def _value(self, kind: Any, data: Any, path: str, of: tuple[type, str] | None) -> Any:
        origin = typing.get_origin(kind)
        if origin is tuple:
            return self._list(typing.get_args(kind)[0], data, path, of)
        if origin in (typing.Union, types.UnionType):
            if data is None:
                return None
            kind = next(arm for arm in typing.get_args(kind) if arm is not type(None))
        if dataclasses.is_dataclass(kind):
            return self._object(kind, data, path)
        if issubclass(kind, Enum):
            return self._word(kind, data, path)
        if kind is str:
            return self._text(data, path, of)
        if kind is bool:
            if not isinstance(data, bool):
                raise WireError(f"expected true or false, got {_named(data)}", where=path)
            return data
        return self._number(kind, data, path, of)

    def _list(self, kind: Any, data: Any, path: str, of: tuple[type, str] | None) -> tuple[Any, ...]:
        if not isinstance(data, list):
            raise WireError(f"expected a list, got {_named(data)}", where=path)
        assert of is not None
        return self._items(lambda item, place: self._value(kind, item, place, of), data, path, _MOST[of])

    def _word(self, kind: type[Enum], data: Any, path: str) -> Enum:
        try:
            return kind(data if isinstance(data, str) else None)
        except ValueError as error:
            raise WireError(f"it is no {kind.__name__} that is known", where=path) from error

    def _text(self, data: object, path: str, of: tuple[type, str] | None) -> str:
        if not isinstance(data, str):
            raise WireError(f"expected text, got {_named(data)}", where=path)
        longest = _CUT.get(of) if of is not None else None
        if longest is None:
            longest = _KEYS.get(of, _LONGEST_NAME) if of is not None else _LONGEST_NAME
            if len(data) > longest:
                raise WireError(f"{len(data)} characters, {longest} at most", where=path)
        elif len(data) > longest:
            self._note(f"{path}: {len(data)} characters, {longest} at most; it was cut")
            data = data[:longest] + "…"
        if _NOT_UNICODE.search(data):
            self._note(f"{path}: not Unicode; what is not was escaped")
            data = visible(data)
        return data

    def _number(
        self, kind: type[int] | type[float], data: object, path: str, of: tuple[type, str] | None
    ) -> float | int:
        if isinstance(data, bool) or not isinstance(data, int | float):
            raise WireError(f"expected a number, got {_named(data)}", where=path)
        if of in _TIMES:
            return kind(self._time(data, path))
        least, most = _NUMBERS[of] if of is not None else (0, 0)
        if data < least or data > most:
            self._note(f"{path}: not from {least} to {most}; the nearest of these counts")
            return least if data < least else most
        if isinstance(data, float) and not data.is_integer():
            raise WireError("expected a whole number", where=path)
        return int(data)

    def _time(self, data: float, path: str) -> float:
        if not data <= self._latest:  # NaN is not, either
            self._note(f"{path}: no time up to now; the time of its arrival counts")
            return self._now
        if data < 0:
            self._note(f"{path}: before 1970; that counts")
            return 0.0
        return data

    def _note(self, text: str) -> None:
        self._count += 1
        if len(self._notes) < MOST_NOTES:
            self._notes.append(text)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _named(data: Any) -> str:
    return type(data).__name__
