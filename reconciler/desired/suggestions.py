"""Finds the valid name nearest to one that is not: "did you mean …?". Gives up rather than take long."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MOST_SEARCHES = 300
"""Searches that one `Suggester` makes: each compares with every valid name, so thousands would take minutes."""


def closest(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate most like ``name``, or ``None`` where none is much like it."""
    matches = difflib.get_close_matches(name[:100], list(candidates), n=1, cutoff=0.6)
    return matches[0] if matches else None


class Suggester:
    """Writes hints for unknown names, and remembers them: a wrong name often stands in many files."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}

    def hint(self, group: str, name: str, candidates: Iterable[str], otherwise: str) -> str:
        """Return ``did you mean …?``, or ``otherwise`` where nothing is near.

        Args:
            group: what the candidates are; equal groups have equal candidates.
            name: the unknown name.
            candidates: the valid names.
            otherwise: the hint where none of them is near.
        """
        key = (group, name)
        if key not in self._known:
            if len(self._known) >= MOST_SEARCHES:
                return otherwise
            near = closest(name, candidates)
            self._known[key] = f"did you mean {near}?" if near else otherwise
        return self._known[key]
