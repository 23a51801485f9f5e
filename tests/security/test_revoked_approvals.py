"""Approvals of removed accounts and of heads that moved count for nothing: against a running daemon."""

from __future__ import annotations

import ssl

import httpx2
import pytest

from reconciler.operations.accounts import remove_account
from reconciler.testing.waiting import eventually
from tests.daemon.conftest import FILES
from tests.system.review.conftest import PROD, HostedServer, Person

SETTINGS = 'version: 1\ngroups:\n  release-managers: ["@ben", "@cleo"]\n'
POLICY = "promotesFrom: dev\napprovals: {required: 1, from: [release-managers]}\npackages:\n  app: "


@pytest.fixture
def ann(server: HostedServer) -> Person:
    person = server.person("ann")
    person.clone()
    files = {**FILES, "environments/reconciler.yaml": SETTINGS, PROD: f"{POLICY}1.0.0\n"}
    first = person.commit(files, "The fleet as it is")
    person.git("push", "-q", "origin", "main")
    eventually(lambda: followed(server, first))
    return person


def followed(server: HostedServer, commit: str) -> bool:
    with server.site() as site:
        return bool(site.approvals.up_to() == commit)


def test_the_approval_of_a_removed_account_counts_for_nothing_at_once(server: HostedServer, ann: Person) -> None:
    ben, cleo = server.person("ben"), server.person("cleo")
    ann.propose("app-2", {PROD: f"{POLICY}2.0.0\n"}, "prod: app 2.0.0")
    ben.change("approve", "1")
    assert ann.change("show", "1")["detail"]["mergeable"]
    with server.site() as site:
        remove_account(site, "ben")
    shown = ann.change("show", "1")["detail"]
    assert not shown["mergeable"]
    assert "prod: @ben approved it, and the account ben was removed" in shown["missing"]
    assert shown["change"]["approved_by"] == []
    assert ann.ask("merge", "1").returncode == 1
    cleo.change("approve", "1")
    assert ann.change("merge", "1")["detail"]["change"]["state"] == "merged"


def test_an_approval_names_the_head_that_was_shown(server: HostedServer, ann: Person) -> None:
    ben = server.person("ben")
    first = ann.propose("app-2", {PROD: f"{POLICY}1.0.0\n", "note.txt": "x"}, "A note")
    with httpx2.Client(verify=ssl.create_default_context(cafile=server.ca), auth=("ben", ben.password)) as client:
        answer = client.post(f"{server.url}/api/changes/1/reviews", json={"verdict": "approved"})
    assert answer.status_code == 400
    assert "an approval names the head that it is for" in answer.text
    second = ann.propose("app-2", {PROD: f"{POLICY}2.0.0\n"}, "Something else")
    refused = ben.ask("approve", "1", "--head", first)
    assert refused.returncode == 1
    assert f"change 1 is at {second[:10]} now" in refused.stderr
    approved = ben.ask("approve", "1")
    assert f"at {second}" in approved.stdout
    assert "+version: 2.0.0" in approved.stdout
    assert ann.change("show", "1")["detail"]["mergeable"]
