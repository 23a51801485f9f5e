"""Asks a host's `reg` for keys and values, and understands what it writes. Pure: runs nothing.

What is not in an answer must not be taken for not being there: `reg` ends a search with the number of what it has
found, which is held against what came.

Source: learn.microsoft.com/windows-server/administration/windows-commands/reg-query
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from reconciler.hosts.winrm.numbers import whole_number
from reconciler.kernel.errors import ReconcilerError

KEY = re.compile(r"HKEY_LOCAL_MACHINE\\(?P<path>.+)")
"""A line that names a key."""

_VALUE = re.compile(r" {4}(?P<name>.+?) {4}REG_[A-Z_]+(?: {4}(?P<data>.*))?")
_COUNT = re.compile(r"\D*(?P<count>[0-9]+)\D*")


class InventoryIncomplete(ReconcilerError):
    """An answer of which a part is missing, so that nothing may be concluded from what is not there."""

    reference = "inventory-incomplete"


def incomplete(host: str) -> InventoryIncomplete:
    """Return the error that says it of a host."""
    return InventoryIncomplete(
        "its answer is not whole",
        where=host,
        hint="do cmd and reg run there for this account, as an administrator?",
    )


def query(key: str, options: str = "") -> str:
    """Return the command that asks for a key, in the 64-bit view.

    Its errors are kept: `reg` that says nothing at all has not run.
    """
    return f"reg query {key} {options}{' ' if options else ''}/reg:64 2>&1"


def values_in(lines: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Yield the key, the name and the data of each value that was written."""
    key = ""
    for line in lines:
        if match := KEY.fullmatch(line):
            key = match["path"]
        elif match := _VALUE.fullmatch(line):
            yield key, match["name"], match["data"] or ""


def all_found(lines: Sequence[str], host: str) -> list[tuple[str, str, str]]:
    """Return the values that a search found, which must be as many as it says at its end, in whatever language.

    Of a key that is not there `reg` tells no number, and it never says nothing.

    Raises:
        InventoryIncomplete: they are fewer.
    """
    values = list(values_in(lines))
    last = next((line for line in reversed(lines) if line), "")
    told = _COUNT.fullmatch(last)
    if not last or (whole_number(told["count"]) != len(values) if told is not None else values):
        raise incomplete(host)
    return values
