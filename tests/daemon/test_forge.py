"""A daemon whose repository is at a forge: it shows there what changes would do, and goes by who approved them."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pygit2
import pytest
from pytest_httpserver import HTTPServer

from reconciler.approval.admission import Admission
from reconciler.settings import Settings
from reconciler.site import open_site
from reconciler.testing.daemon_process import DaemonProcess
from tests.approval.github_server import PROJECT, TOKEN, GitHubServer
from tests.daemon.conftest import FILES, Server, eventually

SECRET = "s3cret of the webhook"
PROD = "environments/prod/environment.yaml"
POLICY = "promotesFrom: dev\napprovals: {required: 1, from: [managers]}\n"
AT_A_FORGE = FILES | {
    "environments/reconciler.yaml": 'version: 1\ngroups: {managers: ["@ben", "@cleo"]}\n',
    PROD: f"{POLICY}packages:\n  app: 1.0.0\n",
}


@dataclass
class Forge:
    """A daemon, its repository, and the forge that this is said to be at."""

    server: Server
    github: GitHubServer

    def propose(self, number: int, version: str) -> str:
        """Have ann's fork ask for a version in prod; return the head, which is on no branch."""
        workspace = self.server.workspace
        back = workspace.head
        workspace.write({PROD: f"{POLICY}packages:\n  app: {version}\n"})
        head = workspace.commit(f"prod: app {version}")
        git = pygit2.Repository(str(workspace.folder))
        git.remotes["origin"].push([f"refs/heads/main:refs/pull/{number}/head"])
        workspace.reset(back)
        self.github.open(number, "app", head, "ann", fork="ann")
        return head

    def merge(self, number: int) -> str:
        """Merge a change, as the forge does it, and push."""
        git = pygit2.Repository(str(self.server.workspace.folder))
        head = git[self.github.pulls[number]["head"]["sha"]].peel(pygit2.Commit)
        who = pygit2.Signature("Cleo", "cleo@example.com")
        made = git.create_commit("HEAD", who, who, f"Merge #{number}", head.tree.id, [git.head.target, head.id])
        self.github.merge(number, str(made), "cleo")
        self.server.workspace.push()
        return str(made)

    def call(self, secret: str = SECRET) -> int:
        """Deliver a webhook."""
        body = json.dumps({"repository": {"full_name": PROJECT}}).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": f"sha256={signature}", "X-GitHub-Delivery": str(len(self.github.asked))}
        connection = self.server.connect()
        try:
            connection.request("POST", "/webhooks/github", body, headers)
            return connection.getresponse().status
        finally:
            connection.close()

    def held(self, environment: str) -> Admission | None:
        """Return where an environment stays behind, and why."""
        item = self.server.site.approvals.admissions()[environment].admission
        return item if item.reasons else None

    def plan(self) -> str:
        (text,) = self.github.comments.values()
        return text


@pytest.fixture
def forge(tmp_path: Path, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Forge]:
    github = GitHubServer()
    httpserver.expect_request(re.compile("/.*")).respond_with_handler(github.answer)
    monkeypatch.setenv("FORGE_TOKEN", TOKEN)
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    with open_site(Settings(data=tmp_path / "data", repository=str(tmp_path / "fleet.git"))) as site:
        server = Server(tmp_path, site)
        told = {
            "forge": "github",
            "forge_url": httpserver.url_for("/"),
            "forge_project": PROJECT,
            "forge_token": "env:FORGE_TOKEN",
            "webhook_secret": "env:HOOK_SECRET",
            "fetch_seconds": "3600",
        }
        server.process = DaemonProcess(site.settings.data, server.workspace.bare, told)
        server.workspace.publish(AT_A_FORGE, "first")
        server.start()
        eventually(site.revisions.in_force)
        yield Forge(server, github)
        server.process.kill()


def test_a_change_shows_what_it_would_do_and_is_in_force_when_it_was_approved(forge: Forge) -> None:
    head = forge.propose(12, "2.0.0")
    assert forge.call() == 204
    eventually(lambda: forge.github.comments)
    assert [(status["sha"], status["context"], status["state"]) for status in forge.github.statuses] == [
        (head, "reconciler/plan", "success")
    ]
    assert "1.0.0 -> 2.0.0" in forge.plan()
    assert "1 approval from managers required, 0 given" in forge.plan()

    forge.github.approve(12, "ben")
    assert forge.call() == 204
    eventually(lambda: "nothing: it may be merged" in forge.plan())
    assert len(forge.github.statuses) == 1, "the status was the same, and is not set again"

    merged = forge.merge(12)
    eventually(lambda: forge.server.site.revisions.in_force() == merged)
    eventually(lambda: forge.server.site.approvals.admissions()["prod"].admission.commit == merged)
    assert TOKEN not in forge.server.process.log.read_text("utf-8")
    assert SECRET not in forge.server.process.log.read_text("utf-8")


def test_nothing_is_written_where_nothing_is_new(forge: Forge) -> None:
    forge.propose(12, "2.0.0")
    forge.call()
    eventually(lambda: forge.github.comments)
    looks = forge.github.asked.count("GET /pulls")
    forge.call()
    eventually(lambda: forge.github.asked.count("GET /pulls") > looks)
    forge.call()
    eventually(lambda: forge.github.asked.count("GET /pulls") > looks + 1)
    written = [asked for asked in forge.github.asked if not asked.startswith("GET")]
    assert len(written) == 2
    assert "GET /issues/12/comments" in forge.github.asked
    assert forge.github.asked.count("GET /issues/12/comments") == 1


def test_a_webhook_by_another_secret_is_refused(forge: Forge) -> None:
    assert forge.call("guess") == 401


def test_while_the_forge_is_away_nothing_is_let_through(forge: Forge) -> None:
    forge.propose(12, "2.0.0")
    forge.github.approve(12, "ben")
    first = forge.server.site.revisions.in_force()
    forge.github.away = True
    merged = forge.merge(12)
    eventually(lambda: forge.server.site.revisions.in_force() == merged)
    waiting = eventually(lambda: forge.held("prod"))
    assert waiting.commit == first
    assert waiting.reasons[0].startswith("package app: cannot find out who approved it: ")

    forge.github.away = False
    forge.call()
    eventually(lambda: forge.server.site.approvals.admissions()["prod"].admission.commit == merged)


def test_the_daemon_remembers_the_forge_for_other_commands(forge: Forge) -> None:
    with open_site(Settings(data=forge.server.site.settings.data)) as site:
        told = site.settings
    assert (told.forge, told.forge_project, told.forge_token) == ("github", PROJECT, "env:FORGE_TOKEN")
    assert told.webhook_secret == ""
