"""Untrusted text for the cards of Microsoft Teams."""

from __future__ import annotations

from reconciler.presentation.terminal import LONGEST_VALUE, for_terminal

_SPECIAL = str.maketrans(
    {character: f"\\{character}" for character in "\\`*_{}[]()#|~!"} | {"<": "‹", ">": "›"},
)


def for_card(text: object, longest: int = LONGEST_VALUE) -> str:
    """Return a value as text on one line of an Adaptive Card, without markup and without ``<at>`` mentions.

    Source: learn.microsoft.com, "Text features in Adaptive Cards": a subset of Markdown, and no entities that all
    clients decode, so angle brackets are replaced.

    Args:
        text: the value; what is not text is converted by `str`.
        longest: characters to show, before they are escaped.
    """
    return for_terminal(text, longest).translate(_SPECIAL)
