"""A daemon that holds its repository, people with accounts, and their plain git clients. Real git, real TLS."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from reconciler.cli.main import app
from reconciler.operations.accounts import add_account
from reconciler.settings import Settings
from reconciler.site import Site, open_site
from reconciler.testing import preloaded
from reconciler.testing.daemon_process import DaemonProcess
from reconciler.testing.waiting import eventually
from tests.daemon.conftest import FILES

PROD = "environments/prod/environment.yaml"


def prod(version: str) -> dict[str, str]:
    return {PROD: f"promotesFrom: dev\npackages:\n  app: {version}\n"}


@dataclass
class Person:
    """Somebody with an account, a clone of their own, and the command line."""

    name: str
    password: str
    server: HostedServer
    folder: Path

    def git(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run plain git as this person; nothing of this machine's configuration is used."""
        helper = f'!f() {{ echo username={self.name}; echo "password={self.password}"; }}; f'
        settings = {
            "credential.helper": helper,
            "user.name": self.name.title(),
            "user.email": f"{self.name}@example.com",
            "init.defaultBranch": "main",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        environment = {
            **os.environ,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_SSL_CAINFO": str(self.server.ca),
            "LC_ALL": "C",
        }
        where = ["-C", str(self.folder)] if self.folder.exists() else []
        done = subprocess.run(
            ["git", *where, *options, *arguments], env=environment, capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def clone(self, *options: str) -> None:
        self.git("clone", "-q", *options, self.server.git_url, str(self.folder))

    def commit(self, files: dict[str, str], message: str, *options: str) -> str:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message, *options)
        return self.git("rev-parse", "HEAD").stdout.strip()

    def propose(self, branch: str, files: dict[str, str], message: str) -> str:
        """Commit on a new branch on top of main as it is, and push it."""
        self.git("fetch", "-q", "origin")
        self.git("checkout", "-q", "-B", branch, "origin/main")
        commit = self.commit(files, message)
        self.git("push", "-q", "-f", "origin", branch)
        return commit

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``reconciler change`` as this person, from anywhere."""
        environment = {
            **os.environ,
            "RECONCILER_SERVER": self.server.url,
            "RECONCILER_CA": str(self.server.ca),
            "RECONCILER_USER": self.name,
            "RECONCILER_PASSWORD": self.password,
            "NO_COLOR": "1",
        }
        return preloaded.run(["change", *arguments], environment)

    def change(self, *arguments: str) -> Any:
        """The same within this process, which is quicker; return what it prints as JSON."""
        environment = {
            "RECONCILER_SERVER": self.server.url,
            "RECONCILER_CA": str(self.server.ca),
            "RECONCILER_USER": self.name,
            "RECONCILER_PASSWORD": self.password,
        }
        done = CliRunner().invoke(app, ["change", *arguments, "--format", "json"], env=environment)
        if done.exception is not None:
            raise done.exception
        return json.loads(done.stdout)


class HostedServer:
    """The daemon, and what its operator sees."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.grants = folder / "grants.yaml"
        self.grants.write_text("version: 1\n", "utf-8")
        self.daemon = DaemonProcess(self.data, "", {"host_repository": "true", "grants": str(self.grants)})
        self.ca = self.data / "tls" / "ca.pem"

    @property
    def url(self) -> str:
        return self.daemon.url

    @property
    def git_url(self) -> str:
        return f"{self.url}/git/desired.git"

    @property
    def repository(self) -> Path:
        return self.data / "desired.git"

    def person(self, name: str) -> Person:
        with self.site() as site:
            made = add_account(site, name, f"{name}@example.com")
        return Person(name, made.password, self, self.folder / name)

    def site(self) -> Any:
        return open_site(Settings(data=self.data, host_repository=True))

    def in_force(self) -> str | None:
        with self.site() as site:
            found: str | None = site.revisions.in_force()
        return found

    def audit(self, kind: str) -> list[dict[str, Any]]:
        with self.site() as site:
            return [json.loads(stored.facts) for stored in site.audit.records() if stored.kind == kind]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HostedServer]:
    server = HostedServer(tmp_path)
    server.daemon.start()
    yield server
    assert server.daemon.stop() == 0


@pytest.fixture
def ann(server: HostedServer) -> Person:
    """Ann, whose first push brought the desired state in."""
    ann = server.person("ann")
    ann.clone()
    first = ann.commit(FILES, "The fleet as it is")
    ann.git("push", "-q", "origin", "main")
    eventually(lambda: server.in_force() == first)
    return ann


@pytest.fixture
def ben(server: HostedServer) -> Person:
    return server.person("ben")


def site_of(server: HostedServer) -> Site:
    site: Site = server.site()
    return site
