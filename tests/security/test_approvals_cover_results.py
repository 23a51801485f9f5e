"""An approval covers what takes effect, not the head that was looked at: attacks on a running daemon.

Production asks for two approvals. Mallory has an ordinary account and is in no group.
"""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from reconciler.desired.model import DesiredState
from reconciler.operations.desired import state_in_force
from reconciler.operations.fleet import known_hosts
from reconciler.store.hosts import Enrolment, EnrolmentToken
from reconciler.testing.waiting import eventually
from tests.daemon.conftest import CATALOG, FILES
from tests.system.review.conftest import PROD, HostedServer, Person

POLICY = "promotesFrom: dev\napprovals: {required: 2, from: [release-managers]}\npackages:\n  app: 1.0.0\n"
SETTINGS = 'version: 1\ngroups:\n  release-managers: ["@ben", "@cleo"]\n'
VICTIM = "{00000000-0000-0000-0000-0000000000C1}"
NEWTOOL = """upgradeCode: "{00000000-0000-0000-0000-00000000002F}"
releases:
  - version: 1.0.0
    productCode: "{00000000-0000-0000-0000-0000000000D1}"
    packageCode: "{00000000-0000-0000-0000-0000000000E1}"
    artifact: {sha256: DDDD, size: 5, file: newtool.msi}
""".replace("DDDD", "d" * 64)
CLAIM = f"""  - version: 0.1.0
    productCode: "{VICTIM}"
    packageCode: "{{00000000-0000-0000-0000-0000000000B9}}"
    artifact: {{sha256: {"c" * 64}, size: 5, file: app.msi}}
"""
CATALOG_FILE = "environments/catalog/newtool.yaml"
EVIL = NEWTOOL + 'before: ["cmd /c whoami > c:\\\\owned.txt"]\n'


@pytest.fixture
def mallory(server: HostedServer) -> Person:
    """Mallory; her first push brought in the fleet, before anything was asked of anybody."""
    person = server.person("mallory")
    person.clone()
    files = {**FILES, "environments/reconciler.yaml": SETTINGS, PROD: POLICY, CATALOG_FILE: NEWTOOL}
    first = person.commit(files, "The fleet as it is")
    person.git("push", "-q", "origin", "main")
    eventually(lambda: server.in_force() == first)
    eventually(lambda: followed(server, first))
    return person


@pytest.fixture
def managers(server: HostedServer) -> list[Person]:
    return [server.person("ben"), server.person("cleo")]


def followed(server: HostedServer, commit: str) -> bool:
    with server.site() as site:
        return bool(site.approvals.up_to() == commit)


def head(server: HostedServer) -> str:
    command = ["git", "-C", str(server.repository), "rev-parse", "refs/heads/main"]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()


def settled(server: HostedServer) -> DesiredState:
    """Return the state in force once the daemon has judged the branch as it is."""
    eventually(lambda: followed(server, head(server)))
    with server.site() as site:
        return state_in_force(site)


def approve(managers: list[Person], number: int) -> None:
    for person in managers:
        person.change("approve", str(number))


def force_merge(server: HostedServer, commit: str) -> None:
    """Merge as whoever can write to the repository's files can: past the daemon."""
    git = ["git", "-C", str(server.repository), "-c", "user.name=R", "-c", "user.email=r@localhost"]
    base = head(server)

    def run(*arguments: str) -> str:
        return subprocess.run([*git, *arguments], capture_output=True, check=True, text=True).stdout.strip()

    tree = run("merge-tree", "--write-tree", base, commit).splitlines()[0]
    made = run("commit-tree", tree, "-p", base, "-p", commit, "-m", "Merge change 1")
    run("update-ref", "refs/heads/main", made, base)


def commands(state: DesiredState, package: str) -> tuple[str, ...]:
    if package not in state.versions_of("prod"):
        return ()
    return state.of("prod").packages[package].practice.before


def test_a_command_merged_to_dev_after_the_approval_does_not_reach_production(
    server: HostedServer, mallory: Person, managers: list[Person]
) -> None:
    approved = mallory.propose("a", {PROD: POLICY + "  newtool: 1.0.0\n"}, "prod: newtool 1.0.0")
    approve(managers, 1)
    mallory.propose("b", {CATALOG_FILE: EVIL}, "newtool: a command, which concerns nobody yet")
    mallory.change("merge", "2")
    refused = mallory.ask("merge", "1")
    assert commands(settled(server), "newtool") == ()
    assert refused.returncode == 1
    assert "prod" in refused.stderr
    assert "package newtool" in refused.stderr
    force_merge(server, approved)
    state = settled(server)
    assert commands(state, "newtool") == ()
    assert state.versions_of("prod")["app"] == "1.0.0"


def test_a_release_that_claims_another_product_reaches_no_host_with_somebody_elses_change(
    server: HostedServer, mallory: Person, managers: list[Person]
) -> None:
    with server.site() as site:
        now = site.clock()
        token = EnrolmentToken("t", "prod", now + 60, None, None)
        site.hosts.add_token(token, now)
        site.hosts.enrol(Enrolment("PROD-01", "key", "127.0.0.1"), token, now)
    mallory.propose("claim", {"environments/catalog/app.yaml": CATALOG + CLAIM}, "app 0.1.0 for the lab")
    mallory.change("merge", "1")
    mallory.propose("host", {"environments/prod/hosts/PROD-02.yaml": "labels: {}\n"}, "prod: one more host")
    approve(managers, 2)
    mallory.change("merge", "2")
    state = settled(server)
    assert state.host("PROD-02") is not None
    with server.site() as site:
        hosts = known_hosts(site, state)
    assert {host.name for host in hosts if host.environment == "prod"} == {"PROD-01", "PROD-02"}
    for host in hosts:
        codes = [release.product_code for goal in host.assignment.goals for release in goal.msi_releases]
        if host.environment == "prod":
            assert VICTIM not in codes


def shown(person: Person, number: int) -> dict[str, Any]:
    found: dict[str, Any] = person.change("show", str(number))["detail"]
    return found
