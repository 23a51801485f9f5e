"""The whole of it: a repository, a daemon process, and lab hosts with real agents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from reconciler.desired.editing import add_release, new_package, set_version
from reconciler.desired.model import ABSENT, Wanted
from reconciler.kernel.attempts import Attempt, Outcome
from reconciler.kernel.convergence import Standing
from reconciler.kernel.releases import MsiRelease
from reconciler.kernel.status import Reason
from reconciler.kernel.steps import StepKind
from reconciler.lab import Lab, LabHost
from reconciler.lab.packages import BuiltPackage
from reconciler.lab.products import registered_products
from reconciler.operations.lab import lab_of, lab_up
from reconciler.operations.status import site_status
from reconciler.operations.trace import trace
from reconciler.settings import Settings
from reconciler.site import Site, open_site
from reconciler.testing.daemon_process import DaemonProcess
from reconciler.testing.waiting import eventually
from reconciler.testing.workspace import Workspace
from tests.system.conftest import ExamplePackages, MisbehavingReleases

ENVIRONMENT = "environments/dev/environment.yaml"
HOST = "DEV-01"


class Fleet:
    """One environment, dev, with one lab host; what it should have is up to the test."""

    def __init__(self, folder: Path, site: Site) -> None:
        self.site = site
        self.workspace = Workspace(folder / "fleet.git", folder / "fleet")
        self.daemon = DaemonProcess(site.settings.data, self.workspace.bare)
        self._versions: dict[str, Wanted] = {}
        self._catalog: dict[str, str] = {}

    def add(self, *packages: BuiltPackage) -> None:
        """Put releases into the catalog and their files into the artifact folder."""
        for built in packages:
            source = built.source
            artifact = self.site.artifacts.add(built.path)
            release = MsiRelease(source.version, source.product_code, source.package_code, artifact)
            text = self._catalog.get(source.package)
            self._catalog[source.package] = (
                add_release(text, release) if text else new_package(source.upgrade_code, release)
            )

    def publish(self, message: str = "change", to: str = "main", **versions: str) -> str:
        """Commit the catalog and these versions (``absent`` included; hyphens as underscores), and push them."""
        text = self.workspace.path(ENVIRONMENT)
        content = text.read_text() if text.exists() else "packages: {}\n"
        for package, version in versions.items():
            wanted: Wanted = ABSENT if version == "absent" else version
            content = set_version(content, package.replace("_", "-"), wanted)
        files = {
            "environments/reconciler.yaml": "version: 1\n",
            f"environments/dev/hosts/{HOST}.yaml": self.host_file(),
            ENVIRONMENT: content,
            **{f"environments/catalog/{name}.yaml": text for name, text in self._catalog.items()},
        }
        return self.workspace.publish(files, message, to)

    def host_file(self) -> str:
        """Return what the host's file says."""
        return "labels: {}\n"

    def start(self) -> LabHost:
        """Start the daemon and the host, and return the host, booted, its agent enrolled."""
        self.daemon.start()
        eventually(self.site.revisions.in_force)
        lab_up(self.site, [HOST], 0.5)
        return self.lab.host(HOST)

    @property
    def lab(self) -> Lab:
        return lab_of(self.site)

    def installed(self, host: LabHost) -> dict[str, str]:
        """Look at the host past its agent: versions by product code, from the Uninstall keys."""
        return registered_products(host)

    def standing(self, package: str) -> Standing | None:
        (host,) = site_status(self.site).hosts
        return next((standing for standing in host.packages if standing.package == package), None)

    def await_synced(self, commit: str) -> None:
        """Wait until ``commit`` is in force and the host has reported that it matches it."""

        def look() -> bool:
            status = site_status(self.site)
            in_force = status.in_force is not None and status.in_force.commit == commit
            return in_force and all(h.reason is Reason.UP_TO_DATE for h in status.hosts)

        eventually(look)

    def attempts(self) -> list[Attempt]:
        """Return every attempt on record, the oldest first."""
        return [record.attempt for record in reversed(self.site.attempts.newest(limit=1000))]


def assert_main_job(fleet: Fleet, examples: ExamplePackages, begin: Callable[[], LabHost]) -> None:
    """Install, upgrade, roll back and remove by commits; ``begin`` starts daemon and host once there is one.

    After each commit the host has what it says; and on record is what was done, for which commit.
    """
    old, new = (examples.get("contoso-agent", version).source for version in ("2.0.0", "2.1.0"))
    first = fleet.publish("first", contoso_agent="2.0.0")
    host = begin()
    fleet.await_synced(first)
    assert fleet.installed(host) == {old.product_code: "2.0.0"}

    upgrade = fleet.publish("upgrade", contoso_agent="2.1.0")
    fleet.await_synced(upgrade)
    assert fleet.installed(host) == {new.product_code: "2.1.0"}

    revert = fleet.workspace.revert(upgrade)
    fleet.await_synced(revert)
    assert fleet.installed(host) == {old.product_code: "2.0.0"}

    fleet.await_synced(fleet.publish("away with it", contoso_agent="absent"))
    assert fleet.installed(host) == {}

    attempts = fleet.attempts()
    assert [attempt.kind for attempt in attempts] == [
        StepKind.INSTALL,
        StepKind.MAJOR_UPGRADE,
        StepKind.ROLL_BACK,
        StepKind.REMOVE,
    ]
    assert {attempt.outcome for attempt in attempts} == {Outcome.SUCCEEDED}
    assert [attempt.revision for attempt in attempts[1:3]] == [upgrade, revert]
    found = trace(fleet.site, HOST, "contoso-agent")
    assert [item.attempt.revision for item in found.attempts][1:3] == [revert, upgrade]


@pytest.fixture
def fleet(tmp_path: Path, example_packages: ExamplePackages) -> Iterator[Fleet]:
    """A fleet with two releases of contoso-agent in its catalog and none wanted yet."""
    settings = Settings(data=tmp_path / "data", repository=str(tmp_path / "fleet.git"), silent_seconds=300)
    with open_site(settings) as site:
        made = Fleet(tmp_path, site)
        made.add(example_packages.get("contoso-agent", "2.0.0"), example_packages.get("contoso-agent", "2.1.0"))
        with ExitStack() as after:
            after.callback(made.lab.down)
            after.callback(made.daemon.kill)
            yield made


__all__ = ["ExamplePackages", "Fleet", "MisbehavingReleases", "assert_main_job", "eventually"]
