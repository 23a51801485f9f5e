"""A build server publishes, and waits until a lab host has it; then a release that fails, which it is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.lab.packages import BuiltPackage
from reconciler.lab.products import registered_products
from reconciler.operations.lab import lab_of, lab_up
from reconciler.settings import Settings
from reconciler.site import Site, open_site
from reconciler.testing.daemon_process import DaemonProcess
from reconciler.testing.workspace import Workspace
from tests.system.conftest import ExamplePackages, MisbehavingReleases
from tests.system.main_job.conftest import eventually

HOST = "DEV-01"


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Site]:
    """A daemon that follows an empty desired state, and one lab host in dev."""
    workspace = Workspace(tmp_path / "fleet.git", tmp_path / "fleet")
    workspace.publish(
        {
            "environments/reconciler.yaml": "version: 1\n",
            "environments/dev/environment.yaml": "# dev\n",
            f"environments/dev/hosts/{HOST}.yaml": "labels: {}\n",
        },
        "first",
    )
    daemon = DaemonProcess(tmp_path / "data", workspace.bare)
    with open_site(Settings(data=tmp_path / "data", repository=str(workspace.bare))) as site:
        try:
            daemon.start()
            eventually(site.revisions.in_force)
            lab_up(site, [HOST], 0.5)
            yield site
        finally:
            daemon.kill()
            lab_of(site).down()


def publish(site: Site, built: BuiltPackage, *more: str) -> subprocess.CompletedProcess[str]:
    words = ("publish", str(built.path), "--package", built.source.package, "--environment", "dev", *more)
    return subprocess.run(
        [sys.executable, "-m", "reconciler.cli.main", *words, "--author", "Build <build@example.com>", "--wait"],
        env={"PATH": os.environ["PATH"], "RECONCILER_DATA": str(site.settings.data)},
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )


def test_published_and_waited_for_it_is_on_the_host(
    fleet: Site, example_packages: ExamplePackages, misbehaving_releases: MisbehavingReleases
) -> None:
    agent = example_packages.get("contoso-agent", "2.1.0")
    done = publish(fleet, agent, "--timeout", "180")
    assert done.returncode == 0, done.stderr
    assert registered_products(lab_of(fleet).host(HOST)) == {agent.source.product_code: "2.1.0"}
    assert "+  contoso-agent: 2.1.0" in done.stdout
    assert done.stderr.splitlines()[-1] == "done: 1 of 1 hosts of dev have contoso-agent 2.1.0"

    again = publish(fleet, agent, "--timeout", "180", "--format", "json")
    assert again.returncode == 0
    said = json.loads(again.stdout)
    assert (said["changed"], said["arrival"]["state"]) == (False, "synced")

    failing = publish(fleet, misbehaving_releases.failing, "--timeout", "180")
    assert failing.returncode == 1
    (told,) = [line for line in failing.stderr.splitlines() if line.startswith(f"  {HOST}: Degraded, ")]
    assert "1603" in told

    lab_of(fleet).host(HOST).kill_agent()
    late = publish(fleet, example_packages.get("northwind-sync", "5.0.0"), "--timeout", "3")
    assert late.returncode == 3
    assert f"  {HOST}: " in late.stderr
