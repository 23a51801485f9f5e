"""Whoever must approve is told that a change waits, soon after it was pushed."""

from __future__ import annotations

import json
from pathlib import Path

from pytest_httpserver import HTTPServer

from reconciler.testing.waiting import eventually
from tests.daemon.conftest import FILES
from tests.system.review.conftest import PROD, HostedServer

POLICY = "promotesFrom: dev\napprovals: {{required: 1, from: [managers]}}\npackages:\n  app: {version}\n"
SETTINGS = """version: 1
groups: {managers: ["@ben"]}
notifications:
  channels:
    hook: {kind: webhook, grant: hook, gather: 1s}
  tell:
    - {channel: hook, of: [requested]}
"""
GRANTS = """version: 1
notifications:
  hook: {{environments: ["*"], address: "file:{address}"}}
"""


def test_approvers_are_told_of_a_change(server: HostedServer, tmp_path: Path, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook", method="POST").respond_with_data("")
    (tmp_path / "address").write_text(httpserver.url_for("/hook"))
    ann = server.person("ann")
    server.person("ben")
    ann.clone()
    server.grants.write_text(GRANTS.format(address=tmp_path / "address"))
    first = ann.commit(
        FILES | {PROD: POLICY.format(version="1.0.0"), "environments/reconciler.yaml": SETTINGS}, "first"
    )
    ann.git("push", "-q", "origin", "main")
    eventually(lambda: server.in_force() == first)

    ann.propose("app-2", {PROD: POLICY.format(version="2.0.0")}, "prod: app 2.0.0")
    eventually(lambda: httpserver.log)
    told = json.loads(httpserver.log[0][0].get_data())
    assert "#1" in told["message"]
    assert "prod: app 2.0.0" in told["message"]
    assert "1 approval from managers" in told["message"]
