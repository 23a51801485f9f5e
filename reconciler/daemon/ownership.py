"""What one daemon has for itself: its address, and the installation."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path
from typing import IO

from reconciler.kernel.errors import ReconcilerError

_BACKLOG = 2048
"""Agents that may wait to be let in at the same time."""


class AlreadyRunning(ReconcilerError):
    """Another daemon runs on the same installation."""

    reference = "already-running"


def take_installation(data: Path) -> IO[bytes]:
    """Take the installation for this process; the lock goes when the process does, however it ends.

    Raises:
        AlreadyRunning: another daemon has it.
    """
    lock = os.fdopen(os.open(data / "daemon.lock", os.O_RDWR | os.O_CREAT, 0o600), "wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise AlreadyRunning(
            "another daemon runs on this installation",
            where=str(data),
            hint="end it first, or give another --data",
        ) from error
    return lock


def listen_on(address: str, port: int) -> socket.socket:
    """Return a socket that listens at an address; port 0 takes any free one.

    It listens at once: one that is only bound may lose its port to another that listens there first, and the event
    loop would not tell.

    Raises:
        OSError: it cannot be had.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # Named by its protocol, or asyncio leaves Nagle's algorithm on and each answer with a body waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
