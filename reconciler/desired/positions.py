"""Finds the line and column of each key and value in a YAML file. Used only where something is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from yaml._yaml import CParser
from yaml.events import (
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from reconciler.desired.findings import Location

Position = tuple[int, int]
"""Line and column, from 1."""


@dataclass(frozen=True, slots=True)
class Positions:
    """Where each value and each key of one file stands. List items have no key: their own place counts."""

    values: dict[Location, Position]
    keys: dict[Location, Position]

    def find(self, location: Location, *, on_key: bool) -> Position:
        """Return where ``location`` stands; for one that does not exist, the key of its nearest ancestor.

        Args:
            location: the way to a value.
            on_key: return the place of its key, not of the value itself.
        """
        if location in self.values and not on_key:
            return self.values[location]
        for length in range(len(location), 0, -1):
            if location[:length] in self.keys:
                return self.keys[location[:length]]
        return self.values.get((), (1, 1))


NOWHERE = Positions({}, {})
"""The positions of a file that cannot be read: all is at its start."""


class _Walk:
    """The place of a walk through the events: the containers it is within, and the keys and indexes so far."""

    def __init__(self) -> None:
        self.values: dict[Location, Position] = {}
        self.keys: dict[Location, Position] = {}
        self._path: list[str | int | None] = []

    def expects_key(self) -> bool:
        return bool(self._path) and self._path[-1] is None

    def take_key(self, key: str, mark: Any) -> None:
        self._path[-1] = key
        self.keys.setdefault(self._location(), _position(mark))

    def start_value(self, mark: Any) -> None:
        location = self._location()
        self.values.setdefault(location, _position(mark))
        if location and isinstance(location[-1], int):
            self.keys.setdefault(location, _position(mark))

    def end_value(self) -> None:
        if self._path:
            last = self._path[-1]
            self._path[-1] = last + 1 if isinstance(last, int) else None

    def enter(self, first: int | None) -> None:
        self._path.append(first)

    def leave(self) -> None:
        self._path.pop()
        self.end_value()

    def _location(self) -> Location:
        return tuple(step for step in self._path if step is not None)


def find_positions(data: bytes) -> Positions:
    """Return the positions in a file. Of a key that stands twice the first counts.

    Args:
        data: bytes that `reconciler.desired.yaml_reader.read_yaml` could read to the end: this sets no bounds.
    """
    next_event: Callable[[], Any] = CParser(data).get_event
    walk = _Walk()
    while (event := next_event()) is not None:
        if isinstance(event, ScalarEvent):
            if walk.expects_key():
                walk.take_key(event.value, event.start_mark)
            else:
                walk.start_value(event.start_mark)
                walk.end_value()
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            walk.start_value(event.start_mark)
            walk.enter(None if isinstance(event, MappingStartEvent) else 0)
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            walk.leave()
    return Positions(walk.values, walk.keys)


def _position(mark: Any) -> Position:
    return mark.line + 1, mark.column + 1
