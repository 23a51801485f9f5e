"""A daemon that reaches lab hosts by WinRM, with nothing of ours on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.kernel.status import Reason
from reconciler.lab import LabHost
from reconciler.lab.winrm import WinrmSettings
from reconciler.operations.status import site_status
from reconciler.settings import Settings
from reconciler.site import Site, open_site
from reconciler.testing.daemon_process import DaemonProcess
from reconciler.testing.waiting import eventually
from tests.system.conftest import ExamplePackages, MisbehavingReleases
from tests.system.main_job.conftest import HOST, Fleet

PASSWORD = "LAB_WINRM_PASSWORD"  # the name of a variable
HOST_FILE = f"environments/dev/hosts/{HOST}.yaml"
PUSHED = "driver: winrm\naddress: {url}\nwinrm: {{grant: lab}}\n"


class PushedFleet(Fleet):
    """One environment, dev, with one lab host that is kept by WinRM."""

    def prepare(self) -> LabHost:
        """Boot the host with its WinRM service, and say in its file how it is reached; to be done first."""
        (host,) = self.lab.up([HOST])
        endpoint = host.start_winrm()
        self.name(endpoint.url.removesuffix("/wsman"))
        return host

    def name(self, url: str) -> None:
        """Write the host's file for the next `publish`; the server grants the lab's account for it."""
        self.workspace.write({HOST_FILE: PUSHED.format(url=url)})
        self.grant(user=WinrmSettings().user, password=f"env:{PASSWORD}")

    def grant(self, **access: str) -> None:
        """Write the server's grants: how it signs in to hosts of dev on this machine."""
        lines = "".join(f"    {key}: {value}\n" for key, value in access.items())
        text = f"version: 1\nwinrm:\n  lab:\n    environments: [dev]\n    networks: [127.0.0.0/8]\n{lines}"
        Path(self.site.settings.grants).write_text(text, "utf-8")

    def host_file(self) -> str:
        return self.workspace.path(HOST_FILE).read_text("utf-8")

    def serve(self) -> None:
        """Start the daemon."""
        self.daemon.start()
        eventually(self.site.revisions.in_force)

    def await_synced_by_serving(self, commit: str) -> None:
        """Start the daemon, and wait until the host matches ``commit``."""
        self.serve()
        self.await_synced(commit)

    def silent_after(self, seconds: float) -> Site:
        """Return the site as it looks to somebody who calls hosts silent after so long, once they all are."""
        settings = self.site.settings.model_copy(update={"silent_seconds": seconds})
        site = replace(self.site, settings=settings)
        eventually(lambda: all(h.reason is Reason.HOST_SILENT for h in site_status(site).hosts))
        return site


@pytest.fixture
def pushed(
    tmp_path: Path, example_packages: ExamplePackages, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PushedFleet]:
    """A fleet with two releases of contoso-agent in its catalog and none wanted yet."""
    monkeypatch.setenv(PASSWORD, WinrmSettings().password)
    grants = str(tmp_path / "grants.yaml")
    settings = Settings(
        data=tmp_path / "data", repository=str(tmp_path / "fleet.git"), silent_seconds=300, grants=grants
    )
    with open_site(settings) as site:
        made = PushedFleet(tmp_path, site)
        made.daemon = DaemonProcess(settings.data, made.workspace.bare, {"push_seconds": "1", "grants": grants})
        made.add(example_packages.get("contoso-agent", "2.0.0"), example_packages.get("contoso-agent", "2.1.0"))
        with ExitStack() as after:
            after.callback(made.lab.down)
            after.callback(made.daemon.kill)
            yield made


__all__ = ["ExamplePackages", "MisbehavingReleases", "PushedFleet", "eventually"]
