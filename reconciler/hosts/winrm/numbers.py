"""Reads whole numbers in what a host answered. Nothing about it is trusted."""

from __future__ import annotations

_LONGEST = 18
"""Digits at most: no number that Windows writes has more, and longer ones would cost time and memory."""


def whole_number(text: str) -> int | None:
    """Return the number that a text is, with a sign or without; ``None`` where it is none, or too long."""
    digits = text.strip().removeprefix("-")
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > _LONGEST:
        return None
    return int(text)
