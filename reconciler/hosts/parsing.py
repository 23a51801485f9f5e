"""Parses the bodies of hosts' messages. Knows no messages."""

from __future__ import annotations

import json
from typing import Any

import orjson

from reconciler.kernel.wire import WireError

_DIGITS = 30
"""Digits of a whole number that is read as one; a longer one is read as a float, which bounds its cost."""


def parse(body: bytes, where: str) -> Any:
    """Return the JSON in a body.

    What no strict parser takes is read all the same: lone surrogates, NaN, bytes that are not UTF-8. A host's
    journal would otherwise be blocked by one such value for ever; `reconciler.kernel.screening` deals with the
    value.

    Args:
        body: what the host sent.
        where: the path, for the message.

    Raises:
        WireError: it is not JSON, or nested too deep.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(body.decode("utf-8", "surrogateescape"), parse_int=_whole_number)
    except (ValueError, RecursionError) as error:
        raise WireError("the body is not JSON", where=where) from error


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _DIGITS else float(digits)
