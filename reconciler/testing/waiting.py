"""Waits for something to come about that tells nobody when it does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_LOOK_AGAIN_SECONDS = 0.03

_SHARE, _LONGEST_SECONDS = 5, 0.5
"""A look that takes 20 ms is repeated after 100 ms: what is waited for needs the processor too."""


def eventually(look: Callable[[], T | None], seconds: float = 90.0) -> T:
    """Look again and again until ``look`` gives something true, and return it.

    Args:
        look: looks once.
        seconds: how long to wait at the most; many times what it takes, as the machine may be busy.

    Raises:
        AssertionError: it did not come about in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        began = time.monotonic()
        found = look()
        if found:
            return found
        now = time.monotonic()
        if now > deadline:
            raise AssertionError(f"did not come about within {seconds:.0f} s")
        time.sleep(min(max(_LOOK_AGAIN_SECONDS, _SHARE * (now - began)), _LONGEST_SECONDS))
