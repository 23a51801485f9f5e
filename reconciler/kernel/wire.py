"""Turns the model into JSON and back, and gives the digests by which two sides know that they agree.

What is at its default is left out; what a newer peer adds is passed over, so that an older one goes on working.
Where a field may hold one of several dataclasses, each says by ``wire_tag`` what stands under ``$type``; one of
them may do without.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import types
import typing
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from reconciler.kernel.errors import ReconcilerError

T = TypeVar("T")

_TAG = "$type"
_SHOWN = 80


class WireError(ReconcilerError):
    """A message that does not have the shape it should have."""

    reference = "malformed-message"


def encode(value: Any) -> Any:
    """Return ``value`` (a dataclass of the kernel's, or a part of one) as JSON-ready data."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        tag = getattr(value, "wire_tag", None)
        out: dict[str, Any] = {} if tag is None else {_TAG: tag}
        for field in dataclasses.fields(value):
            item = getattr(value, field.name)
            if field.default is not dataclasses.MISSING and item == field.default:
                continue
            out[field.name] = encode(item)
        return out
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    return value


def decode(kind: type[T], data: Any) -> T:
    """Return the ``kind`` (a dataclass) that ``data`` stands for.

    Args:
        kind: the dataclass expected.
        data: parsed JSON from a peer: nothing about it is trusted.

    Raises:
        WireError: ``data`` lacks a field, or a field has the wrong shape.
    """
    return typing.cast(T, _decode(kind, data, kind.__name__))


def digest(value: Any) -> str:
    """Return a short stable digest of ``value``: equal content gives equal digests on both sides."""
    text = json.dumps(encode(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _decode(kind: Any, data: Any, path: str) -> Any:
    origin = typing.get_origin(kind)
    if origin is tuple:
        return _decode_tuple(typing.get_args(kind), data, path)
    if origin in (typing.Union, types.UnionType):
        return _decode_union(typing.get_args(kind), data, path)
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(kind, data, path)
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(data if isinstance(data, str) else None)
        except ValueError as error:
            raise WireError(f"{_shown(data)} is not a {kind.__name__}", where=path) from error
    if kind is float and type(data) is int:
        return _as_float(data, path)
    if type(data) is not kind:
        raise WireError(f"expected {getattr(kind, '__name__', kind)}, got {type(data).__name__}", where=path)
    return data


def _as_float(data: int, path: str) -> float:
    try:
        return float(data)
    except OverflowError as error:
        raise WireError("a number is too large", where=path) from error


def _shown(data: Any) -> str:
    """Return what a peer sent in place of a word, for a message: bounded, and without what is nested in it."""
    return repr(data[:_SHOWN]) if isinstance(data, str) else type(data).__name__


def _decode_union(arms: tuple[Any, ...], data: Any, path: str) -> Any:
    if data is None and type(None) in arms:
        return None
    inner = [arm for arm in arms if arm is not type(None)]
    if len(inner) > 1:
        tag = data.get(_TAG) if isinstance(data, dict) else None
        inner = [arm for arm in inner if getattr(arm, "wire_tag", None) == tag]
        if not inner:
            raise WireError(f"{_shown(tag)} is no type that is known", where=path)
    return _decode(inner[0], data, path)


def _decode_tuple(arms: tuple[Any, ...], data: Any, path: str) -> tuple[Any, ...]:
    if not isinstance(data, list):
        raise WireError(f"expected a list, got {type(data).__name__}", where=path)
    if len(arms) == 2 and arms[1] is Ellipsis:
        return tuple(_decode(arms[0], item, f"{path}[{i}]") for i, item in enumerate(data))
    if len(arms) != len(data):
        raise WireError(f"expected {len(arms)} items, got {len(data)}", where=path)
    return tuple(_decode(arm, item, f"{path}[{i}]") for i, (arm, item) in enumerate(zip(arms, data, strict=True)))


def _decode_dataclass(kind: Any, data: Any, path: str) -> Any:
    if not isinstance(data, dict):
        raise WireError(f"expected an object, got {type(data).__name__}", where=path)
    hints = _hints(kind)
    values = {
        field.name: _decode(hints[field.name], data[field.name], f"{path}.{field.name}")
        for field in dataclasses.fields(kind)
        if field.name in data
    }
    for field in dataclasses.fields(kind):
        if (
            field.name not in values
            and field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING
        ):
            raise WireError(f"{field.name!r} is missing", where=path)
    return kind(**values)
