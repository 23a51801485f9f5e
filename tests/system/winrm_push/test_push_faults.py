"""What goes wrong while a host is kept by WinRM: connections that drop, a daemon that dies, files, installers."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from reconciler.kernel.attempts import Outcome
from reconciler.kernel.status import Reason
from reconciler.lab import LabHost
from reconciler.operations.status import site_status
from reconciler.operations.trace import trace
from tests.system.main_job.conftest import HOST
from tests.system.winrm_push.conftest import ExamplePackages, MisbehavingReleases, PushedFleet, eventually
from tests.system.winrm_push.relay import Relay

ARTIFACTS = r"C:\Program Files\Reconciler Push\artifacts"


def let_proceed(host: LabHost, releases: MisbehavingReleases) -> None:
    host.unix_path(releases.proceed).write_text("go")


def await_mid_install(host: LabHost, releases: MisbehavingReleases) -> None:
    eventually(lambda: host.unix_path(releases.started).exists())


@pytest.fixture
def relay(pushed: PushedFleet) -> Iterator[tuple[LabHost, Relay]]:
    """A host that the server reaches through a relay."""
    host = pushed.prepare()
    endpoint = urlsplit(
        next(line.split()[1] for line in pushed.host_file().splitlines() if line.startswith("address"))
    )
    assert endpoint.hostname is not None
    assert endpoint.port is not None
    made = Relay(endpoint.hostname, endpoint.port)
    pushed.name(made.url)
    yield host, made
    made.close()


def test_a_connection_that_drops_during_an_install_changes_nothing_of_it(
    pushed: PushedFleet, relay: tuple[LabHost, Relay], misbehaving_releases: MisbehavingReleases
) -> None:
    host, line = relay
    slow = misbehaving_releases.slow
    pushed.add(slow)
    commit = pushed.publish("first", northwind_sync=slow.source.version)
    pushed.serve()
    await_mid_install(host, misbehaving_releases)
    before = line.accepted
    line.cut()
    eventually(lambda: line.accepted > before)
    let_proceed(host, misbehaving_releases)
    pushed.await_synced(commit)
    assert pushed.installed(host) == {slow.source.product_code: slow.source.version}
    (attempt,) = pushed.attempts()
    assert attempt.outcome is Outcome.SUCCEEDED, "the run went on, and was not run again"


def test_a_daemon_that_is_killed_during_an_install_finds_its_run_again(
    pushed: PushedFleet, misbehaving_releases: MisbehavingReleases
) -> None:
    slow = misbehaving_releases.slow
    host = pushed.prepare()
    pushed.add(slow)
    commit = pushed.publish("first", northwind_sync=slow.source.version)
    pushed.serve()
    await_mid_install(host, misbehaving_releases)
    pushed.daemon.kill()
    pushed.daemon.start()
    let_proceed(host, misbehaving_releases)
    pushed.await_synced(commit)
    assert pushed.installed(host) == {slow.source.product_code: slow.source.version}
    (attempt,) = pushed.attempts()
    assert attempt.outcome is Outcome.SUCCEEDED
    assert [action.exit_code for action in attempt.actions] == [0]


def test_a_host_that_is_away_is_told_with_the_reason_and_kept_on_when_it_is_back(
    pushed: PushedFleet, relay: tuple[LabHost, Relay]
) -> None:
    _, line = relay
    pushed.await_synced_by_serving(pushed.publish("first", contoso_agent="2.0.0"))
    # A run that is being looked after waits for its host a good while before it gives it up for away.
    eventually(lambda: (found := pushed.site.hosts.find(HOST)) and not found.busy)
    line.refuse()
    record = eventually(lambda: (found := pushed.site.hosts.find(HOST)) and found.trouble and found)
    assert "WinRM" in record.trouble
    (host,) = site_status(pushed.silent_after(1)).hosts
    assert host.reason is Reason.HOST_SILENT
    assert "WinRM" in host.message
    upgrade = pushed.publish("upgrade while it is away", contoso_agent="2.1.0")
    line.admit()
    pushed.await_synced(upgrade)
    assert eventually(lambda: (found := pushed.site.hosts.find(HOST)) and not found.trouble)


def test_an_artifact_with_a_wrong_sha256_is_refused_on_the_host_and_nothing_is_run(
    pushed: PushedFleet, example_packages: ExamplePackages
) -> None:
    kept = pushed.site.artifacts.find(
        pushed.site.artifacts.add(example_packages.get("contoso-agent", "2.0.0").path).sha256
    )
    assert kept is not None
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 1
    kept.write_bytes(content)
    host = pushed.prepare()
    pushed.publish("first", contoso_agent="2.0.0")
    pushed.serve()
    standing = eventually(
        lambda: (s := pushed.standing("contoso-agent")) and s.reason is Reason.ARTIFACT_REFUSED and s
    )
    assert "sha256" in standing.message.lower()
    assert pushed.installed(host) == {}
    attempts = pushed.attempts()
    assert attempts
    assert all(a.outcome is Outcome.ARTIFACT_REFUSED and a.actions == () for a in attempts)
    assert list(host.unix_path(ARTIFACTS).rglob("*.msi")) == []


def test_an_msi_that_fails_leaves_its_log_and_a_newer_commit_goes_past_it(
    pushed: PushedFleet, example_packages: ExamplePackages, misbehaving_releases: MisbehavingReleases
) -> None:
    good, failing = example_packages.get("contoso-viewer", "1.3.0"), misbehaving_releases.failing
    pushed.add(good, failing)
    host = pushed.prepare()
    pushed.publish("a release that cannot be installed", contoso_viewer=failing.source.version)
    pushed.serve()
    failed = eventually(lambda: next((a for a in pushed.attempts() if a.outcome is Outcome.FAILED), None))
    assert failed.actions[-1].exit_code == 1603
    assert "1603" in failed.message
    log = eventually(lambda: trace(pushed.site, HOST, "contoso-viewer").attempts[0].log)
    assert "LaunchConditions" in log.read_text("utf-8")
    pushed.await_synced(pushed.publish("what works", contoso_viewer="1.3.0"))
    assert pushed.installed(host) == {good.source.product_code: "1.3.0"}
    assert not list(host.unix_path(r"C:\Program Files\Reconciler Push\runs").glob("*")), "nothing is left there"
