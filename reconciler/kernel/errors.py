"""The root of Reconciler's errors: each says what happened, where, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable


class ReconcilerError(Exception):
    """An error that a person is meant to read.

    Args:
        what: what happened, one sentence without a full stop.
        where: the place: ``file:line:column``, a host and package, a path; ``None`` where there is none.
        hint: what to do next; ``None`` where nothing better can be said than ``what``.
        details: what there is to say besides, a line each. Text of others may be in all of it: whatever shows an
            error to people cleans it, part by part.
    """

    reference = "error"
    """A stable name for this kind of error, for searching and for machine-readable output."""

    def __init__(
        self, what: str, *, where: str | None = None, hint: str | None = None, details: Iterable[str] = ()
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint
        self.details = tuple(details)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        more = "".join(f"\n{line}" for line in self.details)
        advice = f"\n  hint: {self.hint}" if self.hint else ""
        return f"{place}{self.what}{more}{advice}"
