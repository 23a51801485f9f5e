"""Finds paths that lead over the network: as LocalSystem, a host would sign in to any share with its account.

It is a guard against a share that nobody noticed in a review, not a sandbox: a command can put a path together.
"""

from __future__ import annotations

import re

NETWORK_HINT = "the host would sign in there as LocalSystem: name the file as an artifact, or use a local path"
"""What to do about a path that leads over the network."""

_CARET = "^"
_SHARE = re.compile(
    r"""
    (?<![\w.:\\/)\]}])                     # at the start of a word: C:\\dir and dir\\sub stay on the host
    (?: [\\/]{2}[?.][\\/]                 # \\?\ and \\.\ lead to devices, and by UNC\ to shares
      | \\[\\/][\w.\[-]                   # \\server
      | /\\[\w.\[-]
      | //[\w.-]+[\\/][^\s\\/]            # //server/share, but not //nologo
    )
    | (?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9_-]+:\\\\[\w.?-]   # /option:\\server, while x:\\dir is a drive
    | (?<![A-Za-z])file:(?:[\\/]{2})?[\\/]{2}(?!localhost[\\/]|[\\/]|[A-Za-z]:)[\w.-]   # file://server/share
    """,
    re.VERBOSE | re.IGNORECASE,
)


def network_path_in(text: str) -> str | None:
    r"""Return the beginning of a path in ``text`` that leads to a share or a device; ``None`` where there is none.

    Args:
        text: a path, a value of a property or a whole command line. A caret, by which cmd escapes, is ignored.

    Source: learn.microsoft.com/windows/win32/fileio/naming-a-file (UNC names, the prefixes ``\\?\`` and
    ``\\.\``)
    """
    plain = text.replace(_CARET, "")
    found = _SHARE.search(plain)
    return plain[found.start() : found.end() + 30].split()[0] if found is not None else None
