"""The policy of an environment decides over the merge, and once more over what is on the branch."""

from __future__ import annotations

import subprocess

import pytest

from reconciler.store.approvals import AdmissionRecord
from reconciler.testing.waiting import eventually
from tests.daemon.conftest import FILES
from tests.system.review.conftest import PROD, HostedServer, Person

GUARDED = """promotesFrom: dev
approvals: {{required: 1, from: [release-managers]}}
packages:
  app: {version}
"""
DEV = "environments/dev/environment.yaml"


def guarded(version: str) -> dict[str, str]:
    return {PROD: GUARDED.format(version=version)}


@pytest.fixture
def ann(server: HostedServer) -> Person:
    """Ann, whose first push brought in that Ben and Cleo decide over production."""
    ann = server.person("ann")
    ann.clone()
    people = 'version: 1\ngroups:\n  release-managers: ["@ben", "@cleo"]\n'
    first = ann.commit({**FILES, "environments/reconciler.yaml": people, **guarded("1.0.0")}, "The fleet as it is")
    ann.git("push", "-q", "origin", "main")
    eventually(lambda: server.in_force() == first)
    eventually(lambda: admission(server, "prod"))
    return ann


def admission(server: HostedServer, environment: str) -> AdmissionRecord | None:
    with server.site() as site:
        found: AdmissionRecord | None = site.approvals.admissions().get(environment)
    return found


def commit_of(server: HostedServer, environment: str) -> str:
    found = admission(server, environment)
    assert found is not None
    return found.admission.commit


def missing(person: Person) -> list[str]:
    return list(person.change("show", "1")["detail"]["missing"])


def test_production_waits_for_its_approval_and_then_takes_the_merge(
    server: HostedServer, ann: Person, ben: Person
) -> None:
    ann.propose("app-2", guarded("2.0.0"), "prod: app 2.0.0")
    assert missing(ann) == ["prod: 1 approval from release-managers required, 0 given"]
    refused = ann.ask("merge", "1")
    assert refused.returncode == 1
    assert "change 1 cannot be merged: prod: 1 approval from release-managers required" in refused.stderr
    ann.change("approve", "1")
    assert "prod: @ann approved it, and wrote a part of it or asked for it" in missing(ann)
    ben.change("approve", "1")
    assert missing(ann) == []
    commit = ann.change("merge", "1")["detail"]["merge_commit"]
    eventually(lambda: commit_of(server, "prod") == commit)


def test_a_push_after_the_approval_voids_it(server: HostedServer, ann: Person, ben: Person) -> None:
    ann.propose("app-2", guarded("1.0.0") | {"environments/prod/hosts/PROD-02.yaml": "{}\n"}, "prod: a host")
    ben.change("approve", "1")
    assert missing(ann) == []
    ann.propose("app-2", guarded("2.0.0"), "prod: something else")
    assert any("was pushed after that" in reason for reason in missing(ann))
    assert ann.ask("merge", "1").returncode == 1


def test_whoever_pushed_to_it_does_not_count_though_somebody_else_asked(
    server: HostedServer, ann: Person, ben: Person
) -> None:
    """Ben adds to Ann's change under her name, and she pushes once more: he would approve his own."""
    ann.propose("app-2", guarded("1.0.0") | {"note.txt": "x"}, "A note")
    ben.clone()
    ben.git("checkout", "-q", "app-2")
    (ben.folder / PROD).write_text(GUARDED.format(version="2.0.0"))
    ben.git("-c", "user.name=Ann", "-c", "user.email=ann@example.com", "commit", "-q", "-a", "-m", "And a version")
    ben.git("push", "-q", "origin", "app-2")
    ann.git("fetch", "-q", "origin")
    ann.git("reset", "-q", "--hard", "origin/app-2")
    ann.commit({"note.txt": "y"}, "The note again")
    ann.git("push", "-q", "origin", "app-2")
    ben.change("approve", "1")
    assert any(reason.startswith("prod: @ben approved it, and") for reason in missing(ann))
    server.person("cleo").change("approve", "1")
    assert missing(ann) == []


def test_what_concerns_dev_alone_needs_nobody(server: HostedServer, ann: Person) -> None:
    ann.propose("app-2", {DEV: "packages:\n  app: 2.0.0\n"}, "dev: app 2.0.0")
    commit = ann.change("merge", "1")["detail"]["merge_commit"]
    eventually(lambda: commit_of(server, "dev") == commit)
    eventually(lambda: commit_of(server, "prod") == commit)


def test_a_merge_with_forged_trailers_stays_out_of_production(
    server: HostedServer, ann: Person, ben: Person
) -> None:
    """Whoever can write to the repository's files can move the branch, and still has approved nothing."""
    head = ann.propose("app-2", guarded("2.0.0"), "prod: app 2.0.0")
    base = commit_of(server, "prod")
    words = f"Merge change 1: prod\n\nChange: 1\nApproved-by: ben ({head})\nMerged-by: ann\n"
    command = ["git", "-C", str(server.repository), "-c", "user.name=R", "-c", "user.email=r@localhost"]
    made = subprocess.run(
        [*command, "commit-tree", "-p", base, "-p", head, "-m", words, f"{head}^{{tree}}"],
        capture_output=True,
        check=True,
    )
    forged = made.stdout.decode().strip()
    subprocess.run([*command, "update-ref", "refs/heads/main", forged], check=True)
    waiting = eventually(lambda: (found := admission(server, "prod")) and found.admission.blocked and found)
    assert waiting.admission.blocked == forged
    assert "it was pushed straight to the branch" in waiting.admission.reasons[0]
    assert commit_of(server, "prod") == base
