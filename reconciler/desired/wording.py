"""Puts pydantic's complaints about a file into words for the person who wrote it. Judges nothing itself."""

from __future__ import annotations

import typing
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from reconciler.desired.fields import LABEL_HINT, LABEL_PATTERN
from reconciler.desired.findings import Location, Problem, Rule
from reconciler.desired.manifest_model import Manifest, Moved
from reconciler.desired.package_manifests import PackageManifest, kind_with
from reconciler.desired.suggestions import Suggester

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "list_type": "a list",
}
_EMPTY = {"dict_type": "{}", "model_type": "{}", "list_type": "[]"}


def problems_of(path: str, error: ValidationError, model: type[BaseModel], suggester: Suggester) -> list[Problem]:
    """Return what is wrong with a file.

    Args:
        path: the file's path.
        error: what pydantic raised.
        model: the model that the file was held against.
        suggester: finds the key that was meant.
    """
    return [_problem(path, details, model, suggester) for details in error.errors(include_url=False)]


def _problem(path: str, details: ErrorDetails, model: type[BaseModel], suggester: Suggester) -> Problem:
    # Where a dictionary's key is at fault, pydantic adds a last step, "[key]": its nearest ancestor is that key.
    location: Location = tuple(details["loc"])
    kind, context, given = details["type"], details.get("ctx", {}), details["input"]
    if kind in {rule.value for rule in Rule}:
        return Problem(path, Rule(kind), context["message"], context["hint"], location)
    if kind == "extra_forbidden" and (moved := _moved(model, location)) is not None:
        return Problem(path, Rule.SERVER_SETTING, moved.message, moved.hint, location, on_key=True)
    if kind == "extra_forbidden":
        keys = _keys_at(model, location[:-1])
        listed = ", ".join(keys)
        otherwise = f"valid keys here: {listed}"
        other = kind_with(str(location[-1])) if issubclass(model, PackageManifest) else None
        if other is not None and len(location) in (1, 3):
            # Said of the file or of a release, where each kind of package has keys of its own.
            hint = f"packages of kind {other} have this key: check the file's kind; {otherwise}"
        else:
            hint = suggester.hint(f"keys {listed}", str(location[-1]), keys, otherwise)
        return Problem(path, Rule.UNKNOWN_KEY, f"unknown key {str(location[-1])!r}", hint, location, on_key=True)
    if kind == "missing":
        message = f"the key {str(location[-1])!r} is missing"
        return Problem(path, Rule.MISSING_KEY, message, _description(model, location), location, on_key=True)
    if kind in _EXPECTED:
        message = f"expected {_EXPECTED[kind]}, found {_describe(given)}"
        hint = _type_hint(kind, given) or _description(model, location)
        return Problem(path, Rule.WRONG_TYPE, message, hint, location)
    if kind == "literal_error":
        message = f"expected {context['expected']}, found {_describe(given)}"
        return Problem(path, Rule.INVALID_VALUE, message, _description(model, location), location)
    if kind == "string_pattern_mismatch" and context["pattern"] == LABEL_PATTERN:
        return Problem(path, Rule.INVALID_VALUE, f"{given!r} cannot be a label", LABEL_HINT, location)
    if kind in ("too_short", "too_long"):
        bound = f"at least {context['min_length']}" if kind == "too_short" else f"at most {context['max_length']}"
        message = f"expected {bound} of these, found {len(given) or 'none'}"
        return Problem(path, Rule.INVALID_VALUE, message, _description(model, location), location)
    message = f"{details['msg'].removeprefix('Input ')}, found {_describe(given)}"
    return Problem(path, Rule.INVALID_VALUE, message, _description(model, location), location)


def _describe(given: Any) -> str:
    if given is None:
        return "nothing"
    if isinstance(given, bool):
        return str(given).lower()
    if isinstance(given, int):
        return f"the number {given}"
    if isinstance(given, str):
        return f"the text {given[:60]!r}"
    return "a list" if isinstance(given, list) else "keys and values"


def _type_hint(kind: str, given: Any) -> str:
    if given is None and kind in _EMPTY:
        return f"write {_EMPTY[kind]} for none, or leave the key out"
    if kind == "string_type" and isinstance(given, bool | int):
        return f'put it in quotes: "{str(given).lower()}"'
    return ""


def _model_at(model: type[BaseModel], location: Location) -> type[BaseModel] | None:
    """Return the model that holds the keys at ``location``; ``None`` where any key may stand."""
    current: type[BaseModel] | None = model
    by_name = False
    for step in location:
        if isinstance(step, int):
            continue
        if by_name:  # a name of the writer's own, with the model below it
            by_name = False
            continue
        fields = current.model_fields.values() if current is not None else ()
        annotation = next((field.annotation for field in fields if field.alias == step), None)
        by_name = typing.get_origin(annotation) is dict
        current = _model_in(annotation)
    return None if by_name else current


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arm in typing.get_args(annotation) if (found := _model_in(arm)) is not None), None)


def _moved(model: type[BaseModel], location: Location) -> Moved | None:
    """Return what is said of a key that belongs elsewhere; ``None`` for any other key."""
    holder = _model_at(model, location[:-1])
    known = holder.moved if holder is not None and issubclass(holder, Manifest) else {}
    return known.get(str(location[-1]))


def _keys_at(model: type[BaseModel], location: Location) -> list[str]:
    """Return the keys at ``location``: a kind's own first, then those that it shares with others."""
    holder = _model_at(model, location)
    if holder is None:
        return []
    names = (name for part in holder.__mro__ for name in vars(part).get("__annotations__", ()))
    fields = holder.model_fields
    return [str(fields[name].alias) for name in dict.fromkeys(names) if name in fields]


def _description(model: type[BaseModel], location: Location) -> str:
    holder = _model_at(model, location[:-1]) if location else None
    fields = holder.model_fields.values() if holder is not None else ()
    return next((field.description or "" for field in fields if field.alias == location[-1]), "")
