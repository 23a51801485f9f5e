"""A host file names the server's secrets and mallory's address: no secret leaves the server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.operations.status import site_status
from reconciler.settings import Settings
from reconciler.site import open_site
from reconciler.testing.daemon_process import DaemonProcess
from reconciler.testing.waiting import eventually
from reconciler.testing.workspace import Workspace
from tests.daemon.conftest import FILES
from tests.security.rogue_winrm import RogueWinrm, rogue_winrm

HOST = "environments/dev/hosts/MALLORY.yaml"
GRANTS = """version: 1
winrm:
  dev-hosts:
    environments: [dev]
    networks: [10.20.0.0/16]
    user: svc-dev
    password: env:DEV_WINRM
  prod-hosts:
    environments: [prod]
    networks: [127.0.0.0/8]
    transport: basic
    user: svc-prod
    password: env:PROD_WINRM
"""


class Attacked:
    """A daemon with grants of its own, a repository that mallory can write to, and mallory's WinRM service."""

    def __init__(self, folder: Path, rogue: RogueWinrm) -> None:
        self.rogue = rogue
        self.data = folder / "data"
        self.workspace = Workspace(folder / "fleet.git", folder / "fleet")
        self.settings = Settings(data=self.data, repository=str(self.workspace.bare))
        grants = folder / "grants.yaml"
        grants.write_text(GRANTS, "utf-8")
        self.daemon = DaemonProcess(
            self.data, self.workspace.bare, {"grants": str(grants), "push_seconds": "0.2", "fetch_seconds": "0.2"}
        )

    def publish(self, host_file: str) -> str:
        return self.workspace.publish({HOST: host_file}, "mallory's host")

    def verdict(self, commit: str) -> tuple[dict[str, Any], ...]:
        """Wait until the daemon has judged a commit, and return its findings."""
        with open_site(self.settings) as site:
            record = eventually(lambda: site.revisions.find(commit))
        return tuple(record.findings)

    def trouble(self) -> str:
        """Return why mallory's host cannot be reached, as status says it."""
        with open_site(self.settings) as site:
            return next((h.message for h in site_status(site).hosts if h.host == "MALLORY"), "")


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    with rogue_winrm() as rogue, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEV_WINRM", "the password of dev")
        patch.setenv("PROD_WINRM", "the password of prod")
        attacked = Attacked(tmp_path_factory.mktemp("attacked"), rogue)
        attacked.workspace.publish(FILES, "first")
        attacked.daemon.start()
        with open_site(attacked.settings) as site:
            eventually(site.revisions.in_force)
        yield attacked
        attacked.daemon.kill()


@pytest.mark.parametrize("password", ["env:PROD_WINRM", "file:{data}/tls/ca.key", "file:/etc/passwd"])
def test_a_password_named_in_git_is_refused_and_sent_nowhere(attacked: Attacked, password: str) -> None:
    reference = password.format(data=attacked.data)
    commit = attacked.publish(
        f"driver: winrm\naddress: {attacked.rogue.url}\n"
        f'winrm:\n  transport: basic\n  user: mallory\n  password: "{reference}"\n'
    )
    findings = attacked.verdict(commit)
    of_password = next(f for f in findings if f["rule"] == "server-setting" and f["line"] == 6)
    assert of_password["path"] == HOST
    assert "grant:" in str(of_password["hint"])
    assert reference not in json.dumps(findings)
    assert attacked.rogue.visits == 0


@pytest.mark.parametrize(
    ("address", "grant", "reason"),
    [
        ("http://127.0.0.1:{port}", "prod-hosts", "'prod-hosts' is not granted to the environment dev"),
        (
            "http://127.0.0.1:{port}",
            "dev-hosts",
            "127.0.0.1 is outside the networks of the WinRM grant 'dev-hosts'",
        ),
        ("localhost:{port}", "dev-hosts", "localhost ("),
        ("http://127.0.0.1:{port}", "unheard-of", "there is no WinRM grant 'unheard-of'"),
    ],
)
def test_a_host_beyond_its_grant_is_sent_nothing_and_says_why(
    attacked: Attacked, address: str, grant: str, reason: str
) -> None:
    commit = attacked.publish(
        f"driver: winrm\naddress: {address.format(port=attacked.rogue.port)}\nwinrm: {{grant: {grant}}}\n"
    )
    assert attacked.verdict(commit) == ()
    eventually(lambda: reason in attacked.trouble())
    assert attacked.rogue.visits == 0


def test_two_files_for_one_machine_do_not_come_into_force(attacked: Attacked) -> None:
    other = "environments/prod/hosts/PROD-02.yaml"
    spelled = f"http://LOCALHOST.:{attacked.rogue.port}"
    commit = attacked.workspace.publish(
        {
            HOST: f"driver: winrm\naddress: localhost:{attacked.rogue.port}\nwinrm: {{grant: dev-hosts}}\n",
            other: f"driver: winrm\naddress: {spelled}\nwinrm: {{grant: prod-hosts}}\n",
        },
        "one machine in two environments",
    )
    (finding,) = attacked.verdict(commit)
    assert (finding["path"], finding["line"], finding["rule"]) == (other, 2, "duplicate-address")
    attacked.workspace.publish({other: "labels: {}\n"}, "take it back")
    assert attacked.rogue.visits == 0
