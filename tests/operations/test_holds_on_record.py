"""Holds and overrides stand on the audit chain: each change once."""

from __future__ import annotations

import json
from typing import Any

from tests.operations.conftest import FILES, Installation

DEV = "environments/dev/environment.yaml"
HOST = "environments/dev/hosts/DEV-01.yaml"


def held(installation: Installation) -> list[dict[str, Any]]:
    return [json.loads(r.facts) for r in installation.site.audit.records() if r.kind == "holdChanged"]


def test_a_hold_that_is_put_on_changed_and_lifted_is_on_record_once_each(installation: Installation) -> None:
    installation.publish(FILES)
    assert held(installation) == []
    put_on = installation.publish({HOST: "hold: {reason: closing}\n", DEV: FILES[DEV] + "hold: {reason: audit}\n"})
    installation.follow()
    installation.follow()
    assert held(installation) == [
        {"held": "environment dev", "hold": {"reason": "audit", "until": None}, "commit": put_on},
        {"held": "host DEV-01", "hold": {"reason": "closing", "until": None}, "commit": put_on},
    ]
    changed = installation.publish({HOST: "hold: {reason: closing, until: 2030-01-01T00:00:00Z}\n"})
    lifted = installation.publish({HOST: "labels: {}\n"})
    later = held(installation)[2:]
    assert [(item["held"], item["hold"] and item["hold"]["until"], item["commit"]) for item in later] == [
        ("host DEV-01", 1893456000.0, changed),
        ("host DEV-01", None, lifted),
    ]
