"""Keeps one change of a branch and one comment on a change, and reads open changes one by one. Knows no forge."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog

from reconciler.approval.forge import OpenChange
from reconciler.approval.forge_client import Malformed, NotAllowed, NotThere, Refused

_log = structlog.get_logger("reconciler.forge")

Found = TypeVar("Found")
Kept = TypeVar("Kept")


def each_open(there: Iterable[Found], read: Callable[[Found], OpenChange]) -> tuple[OpenChange, ...]:
    """Return the open changes. One whose answer has not the documented form is left out, and none of the others.

    Args:
        there: what the forge lists.
        read: returns one with all that is known of it.

    Raises:
        ForgeUnavailable: the forge cannot be asked, or none of them has the documented form.
    """
    opened: list[OpenChange] = []
    trouble: Malformed | None = None
    for found in there:
        try:
            opened.append(read(found))
        except Malformed as error:
            _log.warning("open change not readable", why=error.what, where=error.where)
            trouble = error
    if trouble is not None and not opened:
        raise trouble
    return tuple(opened)


def keep_change(
    find: Callable[[], Found | None], create: Callable[[], Kept], update: Callable[[Found], Kept]
) -> Kept:
    """See to it that there is one open change for a branch, and that it is as wanted.

    Args:
        find: returns the one that is open.
        create: opens one.
        update: brings the one that is open up to date.

    Raises:
        ForgeUnavailable: it could not be done.
    """
    there = find()
    if there is None:
        try:
            return create()
        except Refused:
            there = find()  # another may have opened it meanwhile
            if there is None:
                raise
    return update(there)


def keep_comment(
    marker: str,
    body: str,
    there: Iterable[tuple[str, str]],
    update: Callable[[str, str], object],
    create: Callable[[str], object],
) -> None:
    """See to it that a change has one comment of ours, that says ``body``.

    Anybody can write our marker into a comment of their own: one that we may not change is none of ours.

    Args:
        marker: tells our comment from others; Markdown does not show it.
        body: Markdown.
        there: what is there, each with its id.
        update: gives a comment, by its id, another text.
        create: writes a new one.

    Raises:
        ForgeUnavailable: it could not be done.
    """
    mark = f"<!-- {marker} -->"
    text = f"{mark}\n{body}"
    ours = [(name, said) for name, said in there if said.startswith(mark)]
    if any(_same(said, text) for _, said in ours):
        return
    for name, _ in ours:
        try:
            update(name, text)
        except (NotAllowed, NotThere):
            continue
        return
    create(text)


def _same(one: str, other: str) -> bool:
    """Return whether two texts say the same. Forges may keep other line ends than they were sent."""
    return one.replace("\r\n", "\n").strip() == other.replace("\r\n", "\n").strip()
