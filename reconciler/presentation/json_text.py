"""JSON documents that hold the exact text, and that a terminal can show."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

import orjson

from reconciler.kernel.visible_text import visible

_OPTIONS = orjson.OPT_NON_STR_KEYS
_NOT_ASCII = re.compile(r"[^\x20-\x7e\n]+")


def as_json(value: Any, *, indented: bool = True) -> str:
    r"""Return a value as one JSON document.

    What `visible` would escape is written as ``\u202e`` and the like, which a program reads as the same text. So
    is the second of two number signs: Azure Pipelines takes ``##vso[`` in a build's log for a command.

    Args:
        value: dataclasses, enumerations and paths included; text may hold lone surrogates.
        indented: whether each entry has its own line.
    """
    options = _OPTIONS | (orjson.OPT_INDENT_2 if indented else 0)
    try:
        document = orjson.dumps(value, default=str, option=options).decode()
    except orjson.JSONEncodeError:  # a lone surrogate, as in a file name that is not UTF-8
        document = json.dumps(_plain(value), ensure_ascii=False, indent=2 if indented else None)
    return _NOT_ASCII.sub(_escaped, document).replace("##", "#\\u0023")


def _escaped(found: re.Match[str]) -> str:
    return found[0] if visible(found[0]) == found[0] else json.dumps(found[0])[1:-1].replace("\x7f", "\\u007f")


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
