"""The file by which an agent says that it has reached its server since it was started. Imports next to nothing.

What watches over an upgrade of the agent waits for it, and knows by its content that another process wrote it.
"""

# ruff: noqa: PTH108, PTH118 - pathlib is slow to load

from __future__ import annotations

import os

from reconciler.agent.durable import read_text, write_atomically

INSTANCE = os.urandom(16).hex()
"""Tells this process from every other."""

_NAME = "in-contact"


def give_sign_of_life(data: str | os.PathLike[str]) -> None:
    """Say that this process has reached the server.

    Args:
        data: the agent's data folder.

    Raises:
        OSError: the file cannot be written.
    """
    write_atomically(os.path.join(data, _NAME), INSTANCE)


def read_sign_of_life(data: str | os.PathLike[str]) -> str:
    """Return which process reached the server last, empty where none did."""
    try:
        return read_text(os.path.join(data, _NAME))
    except OSError:
        return ""


def forget_sign_of_life(data: str | os.PathLike[str]) -> None:
    """Delete what an earlier process has said."""
    try:
        os.unlink(os.path.join(data, _NAME))
    except OSError:
        return
