"""Replaces what a screen would obey, hide or reorder by escapes that a reader sees.

Hosts, forges, feeds and commits supply text that people and terminals read. Standard library only, so that the
agent can use it for its own log.
"""

from __future__ import annotations

import unicodedata

MOST_MARKS = 4
"""Combining marks that one letter keeps. Vietnamese, Thai and pointed Hebrew need no more."""

_INVISIBLE = frozenset(
    map(
        chr,
        (
            *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
            *range(0x180B, 0x1810),
            *range(0xFE00, 0xFE10),
            *range(0xE0000, 0xE1000),
        ),
    )
)
"""Characters that `str.isprintable` accepts although no glyph shows: fillers, blanks and variation selectors.

Source: Unicode 15, DerivedCoreProperties.txt, Default_Ignorable_Code_Point; and U+2800, the blank Braille pattern.
"""

_EMOJI_STYLE = "\ufe0f"
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    r"""Return text on one line in which every character shows.

    Escaped are all characters that `str.isprintable` refuses: control characters (C0, DEL, C1), line and paragraph
    separators, format characters (bidirectional controls, zero-width characters, tags), lone surrogates, spaces
    other than U+0020, unassigned characters, and private-use characters, since each font draws its own glyph for
    those. Invisible letters and marks are escaped too, and so is each mark beyond `MOST_MARKS` on one letter.

    A backslash stays as it is: Windows paths are full of them. So a value may contain the six characters
    ``\u202e``; they are harmless. Applying the function twice changes nothing more.

    Args:
        text: any text, of any length.
    """
    if text.isprintable() and text.isascii():
        return text
    shown: list[str] = []
    before = " "
    marks, letter = 0, False
    for character in text:
        mark = unicodedata.category(character) in ("Mn", "Me")
        marks = marks + 1 if mark else 0
        if not mark:
            letter = character.isalnum() or (letter and unicodedata.category(character) == "Mc")
        if _hides(character, before) or (mark and not _emoji_style(character, before) and not letter):
            shown.append(escape(character))
        else:
            shown.append(escape(character) if marks > MOST_MARKS else character)
        before = character
    return "".join(shown)


def escape(character: str) -> str:
    r"""Return a character as an escape: ``\n``, ``\x1b``, ``\u202e`` or ``\U000e0041``."""
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _hides(character: str, before: str) -> bool:
    if _emoji_style(character, before):
        return False
    return not character.isprintable() or character in _INVISIBLE


def _emoji_style(character: str, before: str) -> bool:
    """Return whether a selector asks for the colour form of the symbol before it, as in many commit titles."""
    return character == _EMOJI_STYLE and unicodedata.category(before) == "So"
