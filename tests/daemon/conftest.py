"""A daemon of its own for a test, and a scripted host that speaks the wire protocol to it over TLS."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.kernel import protocol
from reconciler.kernel.assignment import Assignment
from reconciler.kernel.observation import Observation
from reconciler.kernel.wire import decode, encode
from reconciler.operations.token import make_token
from reconciler.settings import Settings
from reconciler.site import Site, open_site
from reconciler.testing.daemon_process import DaemonProcess
from reconciler.testing.waiting import eventually
from reconciler.testing.workspace import Workspace

UPGRADE_CODE = "{00000000-0000-0000-0000-00000000000F}"
CATALOG = f"""upgradeCode: "{UPGRADE_CODE}"
releases:
  - version: 1.0.0
    productCode: "{{00000000-0000-0000-0000-0000000000A1}}"
    packageCode: "{{00000000-0000-0000-0000-0000000000B1}}"
    artifact: {{sha256: {"a" * 64}, size: 5, file: app.msi}}
  - version: 2.0.0
    productCode: "{{00000000-0000-0000-0000-0000000000A2}}"
    packageCode: "{{00000000-0000-0000-0000-0000000000B2}}"
    artifact: {{sha256: {"b" * 64}, size: 5, file: app.msi}}
"""
FILES = {
    "environments/reconciler.yaml": "version: 1\n",
    "environments/catalog/app.yaml": CATALOG,
    "environments/dev/environment.yaml": "packages:\n  app: 1.0.0\n",
    "environments/prod/environment.yaml": "promotesFrom: dev\npackages:\n  app: 1.0.0\n",
    "environments/prod/hosts/PROD-01.yaml": "labels: {ring: canary}\n",
}


class Answer:
    def __init__(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.status, self.body, self.headers = status, body, headers

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class ScriptedHost:
    """Speaks the wire protocol by hand; what it says is up to the test."""

    def __init__(self, server: Server, name: str, key: str = "key-of-its-own") -> None:
        self.name, self.key = name, key
        self.machine = ""
        """What it sends in the header by which machines are told apart; nothing where it is empty."""
        self.sequence = 0
        self._server = server
        self.report = protocol.Report(Observation(), digest="before the first")

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        connection = self._server.connect()
        data = body if isinstance(body, bytes) else json.dumps(encode(body)).encode()
        sent = {"Authorization": f"Bearer {self.name}:{self.key}", **(headers or {})}
        if self.machine:
            sent[protocol.MACHINE_HEADER] = self.machine
        try:
            connection.request(method, path, data if body is not None else None, sent)
            response = connection.getresponse()
            return Answer(response.status, response.read(), dict(response.getheaders()))
        finally:
            connection.close()

    def enrol(self, token: str) -> Answer:
        """Enrol, asking again as long as the daemon has not read the desired state: as agents do."""
        return eventually(lambda: (answer := self.ask_to_enrol(token)).status != 503 and answer)

    def ask_to_enrol(self, token: str) -> Answer:
        request = protocol.EnrolRequest(self.name, token, protocol.hash_key(self.key))
        return self.ask("POST", protocol.ENROL, request)

    def check_in(self, assignment: str | None = None) -> Answer:
        digest = self.report.assignment if assignment is None else assignment
        return self.ask(
            "POST", protocol.CHECK_IN, protocol.CheckIn(self.report.digest, digest, sequence=self.sequence)
        )

    def send(self, report: protocol.Report) -> Answer:
        self.report = replace(report, digest=protocol.report_digest(report.observation, report.assignment))
        return self.ask("POST", protocol.REPORT, self.report)

    def assigned(self) -> Assignment:
        """Wait until there is an assignment other than the one it works from, and return it."""

        def look() -> Assignment | None:
            answer = self.check_in()
            found = answer.json.get("assignment") if answer.status == 200 else None
            return decode(Assignment, found) if found is not None else None

        return eventually(look)


class Server:
    """A daemon process and what lies behind it."""

    def __init__(self, folder: Path, site: Site) -> None:
        self.workspace = Workspace(folder / "fleet.git", folder / "fleet")
        self.site = site
        grants = folder / "grants.yaml"
        grants.write_text("version: 1\n", "utf-8")
        settings = {"silent_seconds": "300", "grants": str(grants)}
        self.process = DaemonProcess(site.settings.data, self.workspace.bare, settings)

    def start(self) -> None:
        self.process.start()

    def connect(self) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=str(self.site.settings.data / "tls" / "ca.pem"))
        return http.client.HTTPSConnection("127.0.0.1", int(self.process.url.rsplit(":", 1)[1]), context=context)

    def publish(self, files: dict[str, str], message: str = "change") -> str:
        commit = self.workspace.publish(files, message)
        eventually(lambda: any(record.commit == commit for record in self.site.revisions.newest()))
        return commit

    def enrolled(self, name: str, environment: str = "dev") -> ScriptedHost:
        host = ScriptedHost(self, name)
        assert host.enrol(make_token(self.site, environment)).status == 204
        return host


@contextmanager
def running_server(folder: Path) -> Iterator[Server]:
    """Run a daemon on `FILES` in ``folder``."""
    with open_site(Settings(data=folder / "data", repository=str(folder / "fleet.git"))) as site:
        running = Server(folder, site)
        running.workspace.publish(FILES, "first")
        try:
            running.start()
            eventually(site.revisions.in_force)
            yield running
        finally:
            running.process.kill()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running_server(tmp_path) as running:
        yield running
