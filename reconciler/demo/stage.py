"""The stage: a daemon that holds a repository made from the example, people with accounts, and hosts."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import reconciler
from reconciler.demo.artifacts import ExampleArtifacts
from reconciler.demo.colleagues import REVIEWERS, Colleagues
from reconciler.demo.hosts import DemoHosts, Installed
from reconciler.kernel.configuration import differing
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.releases import ConfigurationRelease
from reconciler.operations.desired import state_in_force
from reconciler.operations.status import SiteStatus, site_status
from reconciler.settings import Settings
from reconciler.site import Site, open_site
from reconciler.testing.daemon_process import DaemonProcess

SETTLE_SECONDS = 120.0
"""Seconds that a step of the demonstration may take at the most."""

_LOOK_AGAIN_SECONDS = 0.1
_GROUP = "release-managers"


class DidNotSettle(ReconcilerError):
    """The hosts did not come to match in time."""

    reference = "did-not-settle"


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that the demonstration plays on."""

    folder: Path
    colleagues: Colleagues
    daemon: DaemonProcess
    site: Site
    hosts: DemoHosts

    def await_match(self, commit: str, when: Callable[[], bool] = lambda: True) -> SiteStatus:
        """Wait until a commit is in force and every host reports that it matches it.

        Args:
            commit: the commit.
            when: what must be so besides.

        Raises:
            DidNotSettle: it took too long.
        """
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            there = self._is_everywhere(commit)  # before the status, which may else be that of the commit before
            status = site_status(self.site)
            if there and status.hosts and all(h.reason == "UpToDate" for h in status.hosts) and when():
                return status
            time.sleep(_LOOK_AGAIN_SECONDS)
        standing = "; ".join(f"{h.host}: {h.reason} {h.message}".rstrip() for h in site_status(self.site).hosts)
        raise DidNotSettle(
            f"the hosts did not match {commit[:10]} within {SETTLE_SECONDS:.0f} s: {standing}",
            where=str(self.folder),
            hint=f"look at {self.daemon.log}, and at reconciler status --data {self.site.settings.data}",
        )

    def await_in_force(self, commit: str) -> None:
        """Wait until a commit is in force; there may be no hosts yet.

        Raises:
            DidNotSettle: it took too long.
        """
        deadline = time.monotonic() + SETTLE_SECONDS
        while not self._is_everywhere(commit):
            if time.monotonic() > deadline:
                what = f"the daemon did not take {commit[:10]}"
                raise DidNotSettle(what, where=str(self.folder), hint=f"see {self.daemon.log}")
            time.sleep(_LOOK_AGAIN_SECONDS)

    def _is_everywhere(self, commit: str) -> bool:
        """Return whether a commit is in force, and approved for every environment."""
        admissions = self.site.approvals.admissions().values()
        return self.site.revisions.in_force() == commit and all(r.admission.commit == commit for r in admissions)

    def look(self) -> dict[str, Installed]:
        """Look at every host, past its agent: versions of the example's packages by name."""
        hosts = state_in_force(self.site).hosts
        return {host: self.packages_of(host, self.hosts.installed(host)) for host in hosts}

    def packages_of(self, host: str, installed: Installed) -> Installed:
        """Return the versions of the example's packages that a host has, by name.

        Args:
            host: the host; what settings it has is looked at now.
            installed: the versions of what is installed there, by product code.
        """
        packages = state_in_force(self.site).packages.values()
        names = {release.product_code: package.name for package in packages for release in package.msi_releases}
        found = {names[code]: version for code, version in installed.items() if code in names}
        configurations = [
            (package.name, release)
            for package in packages
            for release in package.releases
            if isinstance(release, ConfigurationRelease)
        ]
        answers = self.hosts.settings(
            host, [setting for _, release in configurations for setting in release.settings]
        )
        for name, release in configurations:
            if not differing(release.settings, answers):
                found[name] = release.version
        return dict(sorted(found.items()))

    def wanted(self) -> dict[str, Installed]:
        """Return what the revision in force wants on every host: versions by package."""
        desired = state_in_force(self.site)
        return {
            host.name: {
                package: release.version
                for package, release in sorted(desired.wanted(host.environment, host.name).items())
                if release is not None
            }
            for host in desired.hosts.values()
        }


@contextmanager
def set_up(folder: Path, hosts: DemoHosts, artifacts: ExampleArtifacts) -> Iterator[Stage]:
    """Build a stage in ``folder``, and take it down at the end.

    Args:
        folder: an empty folder.
        hosts: the hosts to play on; not started yet.
        artifacts: makes the example's installers.
    """
    with ExitStack() as stack:
        site = stack.enter_context(open_site(Settings(data=folder / "data", host_repository=True)))
        daemon = DaemonProcess(folder / "data", "", {"host_repository": "true"}, fresh=True)
        stack.callback(daemon.stop)
        colleagues = Colleagues(site, daemon.start(), folder / "fleet")
        environments = colleagues.path("environments")
        shutil.copytree(example_folder(), environments)
        _demand_approvals(environments)
        artifacts.make(folder / "installers", environments, site.artifacts)
        stack.callback(hosts.stop)
        stage = Stage(folder, colleagues, daemon, site, hosts)
        stage.await_in_force(colleagues.begin("The fleet as it is"))
        hosts.start(site)
        yield stage


def example_folder() -> Path:
    """Return where the example desired state lies: beside the package, or within it where it was installed."""
    package = Path(reconciler.__file__).parent
    within = package / "demo" / "environments"
    return within if within.is_dir() else package.parent / "environments"


def _demand_approvals(environments: Path) -> None:
    """Have Alex and Sam decide: dev takes what is merged, uat wants the approval of one of them, prod of both."""
    settings = environments / "reconciler.yaml"
    members = ", ".join(f'"@{name}"' for name in REVIEWERS)
    settings.write_text(
        "".join(
            f"  {_GROUP}: [{members}]\n" if line.startswith(f"  {_GROUP}:") else line
            for line in settings.read_text("utf-8").splitlines(keepends=True)
        ),
        "utf-8",
    )
    for name, required in (("uat", 1), ("prod", len(REVIEWERS))):
        with (environments / name / "environment.yaml").open("a", encoding="utf-8") as file:
            file.write(f"approvals: {{required: {required}, from: [{_GROUP}]}}\n")
