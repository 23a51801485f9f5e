"""Says what would newly take effect in an environment, entry by entry, as differences of YAML. Pure."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import yaml

from reconciler.approval.entries import MISSING, Entries, Key, Selection, differing, text_of
from reconciler.desired.model import ABSENT_TEXT, Absence


@dataclass(frozen=True, slots=True)
class Effect:
    """An entry that would be another one: what it is about, and its YAML before and after, as a diff has it.

    Every line of ``diff`` begins with ``+``, ``-`` or a space. No line holds anything but printable ASCII.
    """

    environment: str
    entry: str
    diff: tuple[str, ...]


def effects_of(environment: str, before: Entries, after: Entries, still: Iterable[Key] = ()) -> tuple[Effect, ...]:
    """Return what would newly take effect, whoever wrote it.

    Args:
        environment: the environment's name.
        before: the entries in force.
        after: the entries that the branch would hold.
        still: entries that stay as they are in force all the same.
    """
    kept = frozenset(still)
    return tuple(
        Effect(environment, text_of(key), _diff(before.get(key, MISSING), value))
        for key, value in differing(before, after).items()
        if key not in kept
    )


def yaml_of(value: object) -> list[str]:
    """Return the lines of a value's YAML: no defaults, and nothing that is not printable ASCII."""
    if value is MISSING:
        return []
    text: str = yaml.safe_dump(plain(value), sort_keys=False, default_flow_style=False, width=10_000)
    return text.removesuffix("...\n").splitlines()


def plain(value: object) -> Any:
    """Return a value as lists, mappings, texts and numbers."""
    if isinstance(value, Absence):
        return ABSENT_TEXT
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Selection):
        return _selection(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _fields(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | frozenset | set):
        return _pairs(value) or [plain(item) for item in value]
    return value


def _selection(value: Selection) -> dict[str, Any]:
    told: dict[str, Any] = {"version": plain(value.wanted)}
    if value.release is not None:
        told["release"] = plain(value.release)
    elif value.others:
        told["recognised by"] = [plain(release) for release in value.others]
    package = _fields(value.package)
    return {**told, "package": {name: item for name, item in package.items() if name not in ("name", "releases")}}


def _fields(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that are not as they are by default."""
    told = {}
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        default = field.default_factory() if callable(field.default_factory) else field.default
        if item != default:
            told[field.name] = plain(item)
    return told


def _pairs(value: Iterable[object]) -> dict[str, Any]:
    """Return pairs of a name and a value, as properties are, as a mapping."""
    items = list(value)
    if items and all(isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str) for item in items):
        pairs = [item for item in items if isinstance(item, tuple)]
        return {name: plain(item) for name, item in pairs}
    return {}


def _diff(before: object, after: object) -> tuple[str, ...]:
    old, new = yaml_of(before), yaml_of(after)
    lines = list(difflib.unified_diff(old, new, n=3, lineterm=""))
    return tuple(line for line in lines[2:] if not line.startswith("@@"))
