"""The folder of one installer run, where the agent and its child process meet. Imports next to nothing.

``claim``: whoever creates it first decides whether the run happens. The child process claims it before it touches
the machine; an agent that was restarted claims it to keep a child that has not begun from ever beginning.
``call.json``: what is to be called. ``result``: the exit code on the first line and the installer's own error text
after it, written once, whole. ``install.log``: the installer's log.
"""

# ruff: noqa: PTH118 - pathlib is slow to load

from __future__ import annotations

import os

from reconciler.agent.durable import claim, read_text, write_atomically

CALL_NAME = "call.json"
LOG_NAME = "install.log"

_CLAIM_NAME = "claim"
_RESULT_NAME = "result"


def claim_run(folder: str, owner: str) -> bool:
    """Claim the run for ``owner`` (how to find its process); return whether it may go on.

    It may not where somebody else has claimed it, nor where its folder is gone: then the agent has done with it.
    """
    try:
        return claim(os.path.join(folder, _CLAIM_NAME), owner)
    except FileNotFoundError:
        return False


def take_over_run(folder: str, owner: str) -> None:
    """Claim the run anew, from an owner that has ended without a result."""
    write_atomically(os.path.join(folder, _CLAIM_NAME), owner)


def read_claim(folder: str) -> str | None:
    """Return who claimed the run, or ``None``."""
    return _read(os.path.join(folder, _CLAIM_NAME))


def write_result(folder: str, exit_code: int, message: str) -> None:
    """Keep what the installer returned, and the text of the first error it told of."""
    write_atomically(os.path.join(folder, _RESULT_NAME), f"{exit_code}\n{message}")


def read_result(folder: str) -> tuple[int, str] | None:
    """Return the exit code and the error text, or ``None`` where the run has not ended or ended without them."""
    text = _read(os.path.join(folder, _RESULT_NAME))
    if text is None:
        return None
    code, _, message = text.partition("\n")
    try:
        return int(code), message
    except ValueError:
        return None


def _read(path: str) -> str | None:
    try:
        return read_text(path)
    except FileNotFoundError:
        return None
