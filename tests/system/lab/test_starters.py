"""A command whose starter dies is asked for again only where it surely was not begun."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from reconciler.lab import LabHost
from reconciler.lab.errors import LabError
from reconciler.lab.prefix import WinePrefix

Spawn = Callable[..., subprocess.Popen[bytes]]


def dying(spawn: Spawn, times: int) -> Spawn:
    """Return what starts, the first few times, something that ends at once instead of what it was asked to."""
    left = [times]

    def instead(prefix: WinePrefix, words: Sequence[str], **pipes: Any) -> subprocess.Popen[bytes]:
        if left[0]:
            left[0] -= 1
            return spawn(prefix, ["wine", "cmd", "/c", "exit"], **pipes)
        return spawn(prefix, words, **pipes)

    return instead


def test_a_starter_that_dies_is_started_again(
    lab_host: Callable[[str], LabHost], monkeypatch: pytest.MonkeyPatch
) -> None:
    host = lab_host("starter")
    spawn = WinePrefix.spawn
    monkeypatch.setattr(WinePrefix, "spawn", dying(spawn, 2))
    assert host.run(["cmd", "/c", "exit", "7"]).exit_code == 7
    monkeypatch.setattr(WinePrefix, "spawn", dying(spawn, 3))
    with pytest.raises(LabError, match="its starter died"):
        host.run(["cmd", "/c", "exit", "7"])
