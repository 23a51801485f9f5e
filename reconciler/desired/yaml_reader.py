"""Reads one YAML file into plain data, safely and fast. Knows text, whole numbers, booleans; guesses nothing.

It builds from the C parser's *events*, in one loop: the C composer recurses and takes the whole process down on a
few kilobytes of nesting, and is no faster. Every file is untrusted: size and depth are bounded, and aliases and
tags are refused, so that nothing can expand and each value has one place in the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml
from yaml._yaml import CParser
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from reconciler.desired.findings import Rule

MOST_BYTES = 1024 * 1024
"""Bytes that a file may have."""

MOST_LEVELS = 32
"""Levels of nesting that a file may have; the format itself needs five."""

_CONSTANTS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
_NUMBER_STARTS = frozenset("-0123456789")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NO_KEY = object()


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with the text of a file, whatever the file is for. Counts from 1."""

    line: int
    column: int
    rule: Rule
    message: str
    hint: str = ""


class _Unreadable(Exception):
    """Reading stops here."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def read_yaml(data: bytes) -> tuple[Any, list[Fault]]:
    """Return the data in a YAML file and what is wrong with its text. Raises nothing, whatever the bytes are.

    Plain ``true``, ``false``, ``null`` and whole numbers are what they say; all else is text, so versions stay as
    written (``23.10``, ``1:30``), and so do ``on`` and ``yes``. Keys are always text. Of a key that stands twice
    the first counts. An empty file gives ``None``.

    Args:
        data: the file's bytes.

    Returns:
        the data, ``None`` where reading had to stop; and the faults in the order of the text.
    """
    faults: list[Fault] = []
    try:
        if len(data) > MOST_BYTES:
            raise _Unreadable(too_large(len(data)))
        data.decode("utf-8")
        return _build(data, faults), faults
    except _Unreadable as error:
        faults.append(error.fault)
    except UnicodeDecodeError as error:
        line, column = _line_and_column(data[: error.start].decode("utf-8"))
        hint = "save the file as UTF-8"
        faults.append(Fault(line, column, Rule.NOT_UTF8, f"byte 0x{data[error.start]:02x} is not UTF-8", hint))
    except yaml.YAMLError as error:
        faults.append(_syntax_fault(error, data.decode("utf-8")))
    return None, faults


def too_large(size: int) -> Fault:
    """Return the fault of a file with ``size`` bytes, more than `MOST_BYTES`."""
    message = f"the file has {size:,} bytes; at most {MOST_BYTES:,} are read"
    return Fault(1, 1, Rule.TOO_LARGE, message, "keep artifacts out of git: the catalog names them by sha256")


def _build(data: bytes, faults: list[Fault]) -> Any:  # noqa: PLR0912 one loop, for speed
    """Build the data in one loop over the events; this is where the time of a load goes."""
    next_event: Callable[[], Any] = CParser(data).get_event
    may_be_decorated = b"&" in data or b"!" in data
    outer: list[tuple[Any, Any]] = []
    container: Any = None
    key: Any = _NO_KEY
    root: Any = None
    documents = 0
    while (event := next_event()) is not None:
        kind = type(event)
        if kind is ScalarEvent:
            value = event.value
            if may_be_decorated:
                _check_decoration(event, faults)
            if key is _NO_KEY and type(container) is dict:
                key = value
                if key in container:
                    faults.append(_duplicate(event, key))
                continue
            if event.implicit[0]:
                # An unquoted scalar: what it stands for.
                if value in _CONSTANTS:
                    value = _CONSTANTS[value]
                elif value[0] in _NUMBER_STARTS and _NUMBER.fullmatch(value):
                    value = int(value)
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            _check_start(event, is_key=key is _NO_KEY and type(container) is dict, depth=len(outer), faults=faults)
            outer.append((container, key))
            container, key = ({} if kind is MappingStartEvent else []), _NO_KEY
            continue
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            value = container
            container, key = outer.pop()
        else:
            documents += kind is DocumentStartEvent
            _check_other(event, documents)
            continue
        if key is not _NO_KEY:
            # Only a mapping has keys; the first of two that are alike counts.
            if key not in container:
                container[key] = value
            key = _NO_KEY
        elif container is None:
            root = value
        else:
            container.append(value)
    return root


def _check_start(event: Any, *, is_key: bool, depth: int, faults: list[Fault]) -> None:
    if depth >= MOST_LEVELS:
        message = f"more than {MOST_LEVELS} levels of nesting"
        raise _Unreadable(_fault(event, Rule.TOO_DEEP, message, "the format itself needs five"))
    if is_key:
        raise _Unreadable(_fault(event, Rule.YAML_SYNTAX, "a list or mapping stands where a key should"))
    _check_decoration(event, faults)


def _check_decoration(event: Any, faults: list[Fault]) -> None:
    if event.anchor is not None:
        hint = "write the value out at each place where it is wanted"
        faults.append(_fault(event, Rule.YAML_ALIAS, f"anchors such as &{event.anchor} are not taken", hint))
    if event.tag is not None:
        hint = "leave it out; put quotes around what should be text"
        tag = event.tag.replace("tag:yaml.org,2002:", "!!")
        faults.append(_fault(event, Rule.YAML_TAG, f"tags such as {tag} are not taken", hint))


def _check_other(event: Any, documents: int) -> None:
    if type(event) is AliasEvent:
        hint = "write the value out at each place where it is wanted"
        message = f"aliases such as *{event.anchor} are not taken"
        raise _Unreadable(_fault(event, Rule.YAML_ALIAS, message, hint))
    if documents > 1:
        message = "a second document starts here"
        raise _Unreadable(_fault(event, Rule.SEVERAL_DOCUMENTS, message, "one file holds one document: split it"))


def _duplicate(event: Any, key: str) -> Fault:
    return _fault(event, Rule.DUPLICATE_KEY, f"the key {key!r} stands here twice", "remove one of the two")


def _fault(event: Any, rule: Rule, message: str, hint: str = "") -> Fault:
    mark = event.start_mark
    return Fault(mark.line + 1, mark.column + 1, rule, message, hint)


def _syntax_fault(error: yaml.YAMLError, text: str) -> Fault:
    if isinstance(error, yaml.MarkedYAMLError):
        return _marked_fault(error, text)
    unprintable = _UNPRINTABLE.search(text)
    if unprintable is None:
        return Fault(1, 1, Rule.YAML_SYNTAX, str(error))
    line, column = _line_and_column(text[: unprintable.start()])
    message = f"the character U+{ord(unprintable.group()):04X} may not stand in a YAML file"
    return Fault(line, column, Rule.YAML_SYNTAX, message, "delete it")


def _marked_fault(error: yaml.MarkedYAMLError, text: str) -> Fault:
    mark = error.problem_mark
    message = ", ".join(part for part in (error.problem, error.context) if part)
    hint = "check indentation, colons and quotes here"
    if error.context_mark is not None and "end of stream" in message:
        mark, hint = error.context_mark, "what starts here is never closed"
    if mark is None:
        return Fault(1, 1, Rule.YAML_SYNTAX, message, hint)
    line = text.splitlines()[mark.line] if mark.line < len(text.splitlines()) else ""
    if line[mark.column : mark.column + 1] == "\t":
        message, hint = "a tab stands where only spaces may", "indent with spaces"
    return Fault(mark.line + 1, mark.column + 1, Rule.YAML_SYNTAX, message, hint)


def _line_and_column(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - before.rfind("\n")
