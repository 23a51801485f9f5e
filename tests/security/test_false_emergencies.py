"""An emergency is verified before it is on the branch, and takes nothing along: attacks on a running daemon."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reconciler.operations.desired import state_in_force
from reconciler.testing.waiting import eventually
from tests.daemon.conftest import FILES
from tests.system.review.conftest import PROD, HostedServer, Person

URGENT = "Urgent\n\nEmergency: the site is down"


def prod(version: str, policy: str = "{required: 2, from: [release-managers]}") -> str:
    return f"promotesFrom: dev\napprovals: {policy}\npackages:\n  app: {version}\n"


def settings(ben_key: str, managers: str = '["@ben", "@cleo"]') -> str:
    return f"""version: 1
groups: {{release-managers: {managers}, on-call: ["@ben"]}}
people: {{ben: {{knownAs: ["@ben"], keys: ["{ben_key}"]}}}}
emergency: {{group: on-call}}
"""


def signing(folder: Path, name: str) -> tuple[tuple[str, ...], str]:
    """Make a key; return the options by which git signs with it, and its public half."""
    key = folder / f"{name}-key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)], check=True)
    return ("-c", "gpg.format=ssh", "-c", f"user.signingkey={key}"), Path(f"{key}.pub").read_text().strip()


@pytest.fixture
def keys(tmp_path: Path, ssh_keygen: str) -> dict[str, tuple[tuple[str, ...], str]]:
    assert ssh_keygen
    return {name: signing(tmp_path, name) for name in ("ben", "mallory")}


@pytest.fixture
def mallory(server: HostedServer, keys: dict[str, tuple[tuple[str, ...], str]]) -> Person:
    person = server.person("mallory")
    person.clone()
    files = {**FILES, "environments/reconciler.yaml": settings(keys["ben"][1]), PROD: prod("1.0.0")}
    first = person.commit(files, "The fleet as it is")
    person.git("push", "-q", "origin", "main")
    eventually(lambda: followed(server, first))
    return person


def followed(server: HostedServer, commit: str) -> bool:
    with server.site() as site:
        return bool(site.approvals.up_to() == commit)


def head(server: HostedServer) -> str:
    command = ["git", "-C", str(server.repository), "rev-parse", "refs/heads/main"]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()


def urgent(person: Person, key: tuple[str, ...], files: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Push a signed commit that claims an emergency straight to the branch."""
    for name, text in files.items():
        (person.folder / name).write_text(text, "utf-8")
    person.git("add", "-A")
    person.git(*key, "commit", "-q", "-S", "-m", URGENT)
    return person.git("push", "origin", "HEAD:main", check=False)


def test_an_emergency_signed_by_somebody_else_does_not_reach_the_branch(
    server: HostedServer, mallory: Person, keys: dict[str, tuple[tuple[str, ...], str]]
) -> None:
    before = head(server)
    refused = urgent(mallory, keys["mallory"][0], {PROD: prod("2.0.0")})
    assert head(server) == before
    assert refused.returncode == 1
    assert "claims an emergency, and no member of an emergency group signed it" in refused.stderr


def test_a_genuine_emergency_takes_nothing_along_that_was_on_the_branch_before_it(
    server: HostedServer, mallory: Person, keys: dict[str, tuple[tuple[str, ...], str]]
) -> None:
    """Mallory's unapproved policy and group are on the branch already, past the daemon."""
    mine = {
        "environments/reconciler.yaml": settings(keys["ben"][1], '["@mallory", "@cleo", "@ben"]'),
        PROD: prod("1.0.0", "{required: 1, from: [release-managers]}"),
        "environments/catalog/app.yaml": FILES["environments/catalog/app.yaml"] + 'before: ["cmd /c evil"]\n',
    }
    evil = mallory.commit(mine, "Unapproved")
    git = ["git", "-C", str(server.repository)]
    subprocess.run([*git, "fetch", "-q", str(mallory.folder), "HEAD"], check=True)
    subprocess.run([*git, "update-ref", "refs/heads/main", evil], check=True)
    eventually(lambda: followed(server, evil))
    ben = server.person("ben")
    ben.clone()
    host = "environments/prod/hosts/PROD-01.yaml"
    pushed = urgent(ben, keys["ben"][0], {host: "labels: {ring: canary}\nhold: {reason: the site is down}\n"})
    assert pushed.returncode == 0, pushed.stderr
    eventually(lambda: followed(server, head(server)))
    with server.site() as site:
        state = state_in_force(site)
        (waiting,) = [
            r.admission for r in site.approvals.admissions().values() if r.admission.environment == "prod"
        ]
    found = state.host("PROD-01")
    assert found is not None
    assert found.hold is not None
    of_prod = state.of("prod")
    assert of_prod.packages["app"].practice.before == ()
    assert of_prod.groups["release-managers"] == ("@ben", "@cleo")
    assert of_prod.approvals_for("prod").required == 2
    assert any("package app" in reason for reason in waiting.reasons)
