"""A daemon tells people what happens, by a real channel, also after it was killed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from reconciler.testing import preloaded
from tests.daemon.conftest import Server, eventually

SETTINGS = """version: 1
notifications:
  channels:
    up: {kind: webhook, grant: up, gather: 1s}
    down: {kind: webhook, grant: down, gather: 1s}
  tell:
    - {channel: down}
    - {channel: up}
"""
GRANTS = """version: 1
notifications:
  up: {{environments: ["*"], address: "file:{folder}/up"}}
  down: {{environments: ["*"], address: "file:{folder}/down"}}
"""


@pytest.fixture
def hook(tmp_path: Path, server: Server, httpserver: HTTPServer) -> HTTPServer:
    httpserver.expect_request("/up", method="POST").respond_with_data("")
    httpserver.expect_request("/down", method="POST").respond_with_data("", status=500)
    for name in ("up", "down"):
        (tmp_path / name).write_text(httpserver.url_for(f"/{name}"))
    (tmp_path / "grants.yaml").write_text(GRANTS.format(folder=tmp_path))
    server.publish({"environments/reconciler.yaml": SETTINGS})
    return httpserver


def bodies(hook: HTTPServer, path: str) -> list[str]:
    return [json.loads(r.get_data())["message"] for r, _ in hook.log if r.path == path]


def status(server: Server) -> str:
    return preloaded.run(["status", "--data", str(server.site.settings.data)]).stdout


def test_people_are_told_and_a_channel_that_is_down_is_shown(server: Server, hook: HTTPServer) -> None:
    server.publish({"environments/dev/environment.yaml": "packages:\n  app: 9.9.9\n"})
    (told,) = eventually(lambda: bodies(hook, "/up"))
    assert "does not validate, so it is not in force" in told
    shown = eventually(lambda: said if "last error" in (said := status(server)) else None)
    assert "notifications: 1 waiting for down since " in shown
    assert "500" in shown

    server.process.kill()
    server.process.start()
    hook.clear()
    hook.expect_request("/up", method="POST").respond_with_data("")
    hook.expect_request("/down", method="POST").respond_with_data("")
    (later,) = eventually(lambda: bodies(hook, "/down"))
    assert later.splitlines()[0] == told.splitlines()[0]
    eventually(lambda: "notifications:" not in status(server))
    assert bodies(hook, "/up") == [], "it was told already"
