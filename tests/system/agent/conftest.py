"""A real agent on a lab host, with a server of the test's own to ask, and goals made of real packages."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from reconciler.kernel.artifact import Artifact
from reconciler.kernel.assignment import Assignment, Goal
from reconciler.kernel.attempts import Attempt
from reconciler.kernel.protocol import goal_fingerprint
from reconciler.kernel.releases import MsiRelease
from reconciler.lab import LabHost
from reconciler.lab.packages import BuiltPackage
from reconciler.testing.agent_server import AgentServer


@dataclass
class AgentHost:
    """A lab host whose agent asks ``server``."""

    host: LabHost
    server: AgentServer

    def want(
        self, target: BuiltPackage | None, *others: BuiltPackage, revision: str = "r1", signer: str = ""
    ) -> None:
        """Assign ``target`` of its package; ``others`` are further releases that the catalog has of it."""
        source = (target or others[0]).source
        releases = [release_of(package) for package in others]
        for package in (target, *others) if target else others:
            content = package.path.read_bytes()
            self.server.artifacts[hashlib.sha256(content).hexdigest()] = content
        goal = Goal(
            source.package, source.upgrade_code, release_of(target, signer) if target else None, tuple(releases)
        )
        goal = replace(goal, fingerprint=goal_fingerprint(goal))
        self.server.assign(Assignment(self.host.name.upper(), "dev", revision, (goal,)))

    def attempts(self, count: int) -> list[Attempt]:
        """Wait until this many attempts have ended, and return all that have."""
        self.server.wait_for(lambda s: len(s.attempts()) >= count)
        return self.server.attempts()

    def versions(self) -> dict[str, str]:
        """The product codes and versions of the family assigned, as the host last reported them."""
        assert self.server.assignment is not None
        (goal,) = self.server.assignment.goals
        products = self.server.reports[-1].observation.products
        return {p.product_code: p.version for p in products if p.upgrade_code == goal.upgrade_code}

    def start_agent(self) -> None:
        self.host.start_agent()


def release_of(package: BuiltPackage, signer: str = "") -> MsiRelease:
    content = package.path.read_bytes()
    artifact = Artifact(hashlib.sha256(content).hexdigest(), len(content), package.source.file_name, signer)
    return MsiRelease(package.source.version, package.source.product_code, package.source.package_code, artifact)


@pytest.fixture
def agent_host(lab_host: Callable[[str], LabHost]) -> Iterator[AgentHost]:
    """A host with the agent installed and not yet started."""
    server = AgentServer()
    host = lab_host("agent-01")
    host.install_agent({"server": server.url, "host": "AGENT-01", "token": server.token, "pollSeconds": 0.2})
    yield AgentHost(host, server)
    server.close()
