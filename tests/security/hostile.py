"""Builds any dataclass with a hostile value in every text field, so that a new field is covered automatically."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

Text = Callable[[], str]

PAYLOADS = {
    "escapes": "a\x1b[2J\x1b]0;owned\x07\x9b31mb\x7f",
    "lines": "a\r\nforged: line\x0b\x0c\x85\u2028\u2029\tb",
    "bidi": "a\u202e\u202a\u2066\u2069\u200e\u200f\u061cb",
    "invisible": "a\u200b\u2060\ufeff\U000e0041\u3164\u2800\ue000\xadb",
    "surrogates": "a\udc80b\ud800c",
    "marks": "a" + "\u0301" * 20 + "b",
    "rich": "[red]a[/red] [link=https://evil.example]b[/link] :bomb: [bold",
    "build": "a ##vso[task.setvariable variable=x]b ##[group]c ##teamcity[d]",
}
"""What a host, a forge, a feed or a commit may send."""

IDS = frozenset({"id", "commit", "head", "base", "revision", "blocked", "merge_commit", "parents"})
"""Fields of which only the beginning is shown: it is the same for each text, and the rest is hostile."""


def build(hint: Any, text: Text, made: Mapping[type, Callable[[Text], Any]] | None = None) -> Any:
    """Return a value of a type whose every text comes from ``text``.

    Args:
        hint: a dataclass or any type that a field may have.
        text: returns the next text.
        made: how to make values of classes whose texts mean something, such as commits.
    """
    made = made or {}
    if hint in made:
        return made[hint](text)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return build(next(arm for arm in arguments if arm is not type(None)), text, made)
    if origin is tuple:
        arms = [arm for arm in arguments if arm is not Ellipsis]
        return tuple(build(arm, text, made) for arm in arms)
    if origin in (list, frozenset, set):
        return origin([build(arguments[0], text, made)])
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {build(arguments[0], text, made): build(arguments[1], text, made)}
    if origin is not None:
        return build(arguments[0], text, made)
    if isinstance(hint, type):
        return _of_class(hint, text, made)
    return text()


def _of_class(hint: type, text: Text, made: Mapping[type, Callable[[Text], Any]]) -> Any:
    if issubclass(hint, Enum):
        return next(iter(hint))
    if hint is bool:
        return True
    if hint in (int, float):
        return hint(1)
    if issubclass(hint, Path):
        return Path("/srv") / text()
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        fields = [field for field in dataclasses.fields(hint) if field.init]
        texts = {field.name: _of_an_id(text) if field.name in IDS else text for field in fields}
        return hint(**{name: build(hints[name], of, made) for name, of in texts.items()})
    return text()


def _of_an_id(text: Text) -> Text:
    return lambda: "c" * 40 + text()
