"""Lab hosts with the agent as its MSI installs it, and further releases of the agent."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import reconciler
from reconciler.agent.placing import SiteDefaults
from reconciler.kernel.agent_package import AGENT_UPGRADE_CODE
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.assignment import Assignment, Goal
from reconciler.kernel.attempts import Attempt
from reconciler.kernel.protocol import goal_fingerprint
from reconciler.kernel.releases import MsiRelease
from reconciler.lab import LabHost
from reconciler.packaging.agent_msi import CODE_PACKAGES, BuiltAgent, build_agent_msi
from reconciler.testing.agent_server import AgentServer

DATA = r"C:\ProgramData\Reconciler Agent"
PROGRAM = r"C:\Program Files\Reconciler Agent"
SERVICE = "ReconcilerAgent"
TOKEN = "a-token-that-must-not-be-found-again"
POLL_SECONDS = 0.2


@dataclass
class ProductHost:
    """A lab host for the agent's MSI, and the server that its agent asks."""

    host: LabHost
    server: AgentServer
    folder: Path

    def build(self, version: str | None = None, break_it: str = "", **settings: object) -> BuiltAgent:
        """Build the agent's MSI: of this code, or as another version, whose service runs ``break_it`` first."""
        code = None
        if version is not None:
            code = other_release(self.folder / f"code-{version}", version, break_it)
        site = SiteDefaults({"server": self.server.url, "pollSeconds": POLL_SECONDS, **settings})
        return build_agent_msi(site, self.folder / f"agent-{version}.msi", code)

    def install(self, built: BuiltAgent, properties: str = f"TOKEN={TOKEN}") -> int:
        """Install the MSI as an administrator would; return msiexec's exit code."""
        self.host.copy_in(built.path, r"C:\Setup\agent.msi")
        command = rf"msiexec /i C:\Setup\agent.msi /qn /l*v C:\Setup\install.log {properties}"
        return self.host.run(command).exit_code

    def uninstall(self, built: BuiltAgent) -> int:
        return self.host.run(rf"msiexec /x {built.product_code} /qn /l*v C:\Setup\uninstall.log").exit_code

    def want(self, target: BuiltAgent | None, *others: BuiltAgent, revision: str = "r1") -> None:
        """Assign this release of the agent's own package."""
        for built in (*((target,) if target else ()), *others):
            content = built.path.read_bytes()
            self.server.artifacts[hashlib.sha256(content).hexdigest()] = content
        goal = Goal(
            "reconciler-agent",
            AGENT_UPGRADE_CODE,
            _release(target) if target else None,
            tuple(_release(built) for built in others),
        )
        goal = replace(goal, fingerprint=goal_fingerprint(goal))
        self.server.assign(Assignment(self.host.name.upper(), "dev", revision, (goal,)))

    def attempts(self, count: int, seconds: float = 120.0) -> list[Attempt]:
        self.server.wait_for(lambda s: len(s.attempts()) >= count, seconds)
        return self.server.attempts()

    def await_report(self, holds: Callable[[AgentServer], object], seconds: float = 120.0) -> None:
        self.server.wait_for(lambda s: s.reports and holds(s), seconds)

    def service_state(self) -> str:
        """What the service manager says: ``RUNNING``, ``STOPPED`` or, where there is no such service, nothing."""
        said = self.host.run(["sc", "query", SERVICE]).stdout
        return next((line.split()[-1] for line in said.splitlines() if "STATE" in line), "")

    def read(self, name: str) -> str:
        return self.host.read(rf"{DATA}\{name}").decode()

    def settings(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.read("agent.json"))
        return found


def other_release(target: Path, version: str, break_it: str = "") -> Path:
    """Write this tree's code to ``target`` as another version of it, whose agent runs ``break_it`` first."""
    code = Path(str(reconciler.__file__)).parent
    for room in CODE_PACKAGES:
        shutil.copytree(code / room, target / room, ignore=shutil.ignore_patterns("__pycache__"))
    (target / "__init__.py").write_text(f'"""Another release."""\n\n__version__ = "{version}"\n')
    if break_it:
        entry = target / "agent" / "entry.py"
        entry.write_text(entry.read_text() + f"\n\n{break_it}\n")
    return target


def _release(built: BuiltAgent) -> MsiRelease:
    content = built.path.read_bytes()
    artifact = Artifact(hashlib.sha256(content).hexdigest(), len(content), f"reconciler-agent-{built.version}.msi")
    return MsiRelease(built.version, built.product_code, built.package_code, artifact)


@pytest.fixture
def product(lab_host: Callable[[str], LabHost], tmp_path: Path) -> Iterator[ProductHost]:
    """A host without an agent, and a server that would let it in."""
    server = AgentServer()
    server.token = TOKEN
    host = lab_host("product-01")
    yield ProductHost(host, server, tmp_path)
    server.close()
    for log in sorted(host.unix_path(DATA).rglob("*.log")):  # pytest shows it where the test has failed
        sys.stdout.write(f"--- {log.name}\n{log.read_bytes()[-4000:].decode('utf-8', 'replace')}\n")


def registry_of(host: LabHost) -> str:
    """Every key and value of the registry, as text; the host is switched off for it."""
    host.shutdown()
    return "".join(path.read_text("utf-8", "replace") for path in host.prefix.directory.glob("*.reg"))
