"""Reads the trailers of a commit's message: ``Key: value`` lines that make up its last paragraph."""

from __future__ import annotations

import re

_TRAILER = re.compile(r"([A-Za-z][A-Za-z0-9-]*):[ \t]*(\S.*)")


def trailers(message: str) -> tuple[tuple[str, str], ...]:
    """Return the trailers of a message in their order; none where another line stands among them.

    git is more lenient: it takes a paragraph of which a quarter are trailers. What is decided by trailers here is
    written by us, or on purpose.
    """
    paragraphs = re.split(r"\n[ \t]*\n", message.replace("\r\n", "\n").strip())
    if len(paragraphs) < 2:
        return ()
    found = [_TRAILER.fullmatch(line.rstrip()) for line in paragraphs[-1].splitlines()]
    return tuple((match[1], match[2]) for match in found if match) if all(found) else ()
