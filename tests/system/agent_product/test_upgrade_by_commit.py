"""From a commit in git to another agent on a host, by the real daemon; and what status says of one taken back."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reconciler import __version__
from reconciler.agent.placing import SiteDefaults
from reconciler.kernel.agent_package import AGENT_UPGRADE_CODE
from reconciler.kernel.attempts import Outcome
from reconciler.kernel.status import Health
from reconciler.lab.packages import BuiltPackage, PackageSource
from reconciler.operations.status import site_status
from reconciler.operations.token import make_token
from reconciler.packaging.agent_msi import build_agent_msi
from tests.system.agent_product.conftest import DATA, other_release
from tests.system.agent_product.test_self_upgrade import CANNOT_START
from tests.system.main_job.conftest import HOST, eventually, fleet

__all__ = ["fleet"]


def released(folder, version, breaking=""):
    """Build a release of the agent for whatever server the host has been told, as a package of a catalog."""
    code = None
    if version != __version__:
        code = other_release(folder / f"code-{version}", version, breaking)
    site = SiteDefaults({"server": "https://elsewhere.example.com"})
    built = build_agent_msi(site, folder / f"reconciler-agent-{version}.msi", code)
    source = PackageSource(
        package="reconciler-agent",
        product_name="Reconciler Agent",
        manufacturer="Reconciler",
        version=version,
        product_code=built.product_code,
        package_code=built.package_code,
        upgrade_code=AGENT_UPGRADE_CODE,
        sources=Path(),
        file_name=built.path.name,
    )
    return BuiltPackage(source, built.path)


@pytest.fixture
def agent_host(fleet, lab_host, tmp_path):
    """A host with the agent of this tree, which its environment wants, and two more releases in the catalog."""
    first, second = released(tmp_path, __version__), released(tmp_path, "8.0.0")
    fleet.add(first, second, released(tmp_path, "9.0.0", CANNOT_START))
    commit = fleet.publish(reconciler_agent=__version__)
    url = fleet.daemon.start()
    eventually(fleet.site.revisions.in_force)
    host = lab_host(HOST)
    settings = {
        "server": f"https://127.0.0.1:{urlsplit(url).port}",
        "token": make_token(fleet.site, "dev"),
        "ca": "ca.pem",
        "pollSeconds": 0.5,
    }
    host.unix_path(DATA).mkdir(parents=True)
    host.unix_path(rf"{DATA}\agent.json").write_text(json.dumps(settings))
    host.copy_in(fleet.site.settings.data / "tls" / "ca.pem", rf"{DATA}\ca.pem")
    host.copy_in(first.path, r"C:\Setup\agent.msi")
    assert host.run(r"msiexec /i C:\Setup\agent.msi /qn").exit_code == 0
    eventually(lambda: site_status(fleet.site).hosts)
    fleet.await_synced(commit)
    assert fleet.attempts() == [], "an agent that is just being installed must not set about installing itself"
    return host


def ended(fleet):
    return [attempt for attempt in fleet.attempts() if attempt.ended_at is not None]


def test_a_commit_upgrades_the_agent(fleet, agent_host):
    commit = fleet.publish(reconciler_agent="8.0.0")
    (attempt,) = eventually(lambda: ended(fleet))
    fleet.await_synced(commit)
    assert (attempt.to_version, attempt.outcome) == ("8.0.0", Outcome.SUCCEEDED)
    assert "8.0.0" in fleet.installed(agent_host).values()


def test_a_broken_release_is_taken_back_and_seen_as_degraded(fleet, agent_host):
    fleet.publish(reconciler_agent="9.0.0")
    (attempt,) = eventually(lambda: ended(fleet))
    assert attempt.outcome is Outcome.FAILED_ROLLED_BACK
    assert attempt.message.endswith(f"{__version__} was put back")
    eventually(lambda: fleet.standing("reconciler-agent").health is Health.DEGRADED)
    assert fleet.standing("reconciler-agent").installed == __version__
