"""Spells out the commands that put a small file on a host through a command line. Pure: runs nothing.

The content goes as Base64, in which nothing means anything to cmd, and is decoded there with certutil.

Source: learn.microsoft.com/windows-server/administration/windows-commands/certutil (-decode)
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

from reconciler.hosts.winrm.connection import LONGEST_COMMAND

_LINE = 1000
"""Characters of a line of Base64: certutil passes over line ends."""

_AND = " & "
MISSING = "===missing"
"""What is written where a file did not come to be."""


def upload_commands(path: str, content: bytes) -> tuple[str, ...]:
    """Return the commands, to be run in order, that write ``content`` to ``path`` on a host.

    Running all of them again writes the same. The folder is made where it is missing.

    Args:
        path: the full path there; it may hold spaces, but no quotes and no percent signs.
        content: what to write.
    """
    encoded = base64.b64encode(content).decode("ascii")
    part, folder = f"{path}.b64", path.rpartition("\\")[0]
    return (
        f'mkdir "{folder}" 2>nul',
        f'del /f /q "{part}" 2>nul',
        *(f'>>"{part}" echo {encoded[i : i + _LINE]}' for i in range(0, len(encoded), _LINE)),
        f'certutil -f -decode "{part}" "{path}" >nul',
        f'del /f /q "{part}"',
        f'(if not exist "{path}" echo {MISSING})',
    )


def packed(commands: Iterable[str]) -> list[str]:
    """Return ``commands`` joined to as few as Windows takes, in the same order."""
    joined: list[str] = []
    for command in commands:
        if joined and len(joined[-1]) + len(command) + len(_AND) <= LONGEST_COMMAND:
            joined[-1] += _AND + command
        else:
            joined.append(command)
    return joined
