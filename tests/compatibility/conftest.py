"""Frozen messages, and a daemon and an agent of today to send them to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.agent.conftest import data, machine, start
from tests.agent.conftest import server as agent_server
from tests.daemon.conftest import server

MESSAGES = Path(__file__).with_name("messages")
PEERS = sorted(folder.name for folder in MESSAGES.iterdir())


def frozen(peer: str, message: str, **values: object) -> Any:
    """Return a frozen message; ``values`` stand where ``@NAME@`` stands in it."""

    def fill(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: fill(inner) for name, inner in part.items()}
        if isinstance(part, list):
            return [fill(inner) for inner in part]
        return values.get(part.strip("@"), part) if isinstance(part, str) else part

    return fill(json.loads((MESSAGES / peer / f"{message}.json").read_text("utf-8")))


__all__ = ["agent_server", "data", "machine", "server", "start"]
