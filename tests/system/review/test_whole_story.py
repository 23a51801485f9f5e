"""With no forge at all: clone, branch, push, look, approve, merge, and it is in force."""

from __future__ import annotations

from reconciler.testing.waiting import eventually
from tests.system.review.conftest import PROD, HostedServer, Person, prod


def test_from_clone_to_in_force(server: HostedServer, ann: Person, ben: Person) -> None:
    head = ann.propose("app-2", prod("2.0.0"), "prod: app 2.0.0\n\nTested in dev since Monday.")
    (listed,) = ann.change("list")
    assert (listed["number"], listed["title"], listed["requester"]) == (1, "prod: app 2.0.0", "ann")
    assert listed["head"] == head

    shown = ben.change("show", "1")["detail"]
    assert shown["mergeable"]
    assert shown["body"] == "Tested in dev since Monday."
    assert [(file["path"], file["added"], file["removed"]) for file in shown["files"]] == [(PROD, 1, 1)]
    text = ben.ask("show", "1").stdout
    assert "1.0.0 -> 2.0.0" in text
    assert "it may be merged: reconciler change merge 1" in text

    ben.change("approve", "1", "--head", head, "--comment", "as agreed")
    merged = ann.change("merge", "1")["detail"]
    commit = merged["merge_commit"]
    assert merged["change"]["state"] == "merged"
    eventually(lambda: server.in_force() == commit)

    ann.git("fetch", "-q", "--prune", "origin")
    assert ann.git("rev-parse", "origin/main").stdout.strip() == commit
    message = ann.git("log", "-1", "--format=%an <%ae>|%cn|%P|%B", "origin/main").stdout
    who, committer, parents, body = message.split("|", 3)
    assert who == "ann <ann@example.com>"
    assert committer == "Reconciler"
    assert parents.split()[1] == head
    assert body.strip().splitlines() == [
        "Merge change 1: prod: app 2.0.0",
        "",
        "Change: 1",
        "Requested-by: ann",
        "Pushed-by: ann",
        f"Approved-by: ben ({head})",
        "Merged-by: ann",
    ]
    assert "origin/app-2" not in ann.git("branch", "-r").stdout
    assert ann.change("list") == []
