"""Starts processes that outlive this one. Decides nothing.

Source: learn.microsoft.com/windows/win32/procthread/process-creation-flags
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import subprocess
from collections.abc import Sequence

_APART = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
_ACCESS_DENIED = 5


def start_apart(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a process that is not in the job of this one, where that job lets it go.

    Raises:
        OSError: it could not be started.
    """
    try:
        return _popen(command, _APART | subprocess.CREATE_BREAKAWAY_FROM_JOB)
    except OSError as error:
        if error.winerror != _ACCESS_DENIED:
            raise
        return _popen(command, _APART)


def _popen(command: Sequence[str], flags: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        creationflags=flags,
        close_fds=True,
    )
