"""What goes wrong, on real hosts: agents and servers that die, files that are not what they should be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from reconciler.kernel.attempts import Outcome
from reconciler.kernel.status import Reason
from reconciler.lab import LabHost
from reconciler.lab.agent import AGENT_DATA
from reconciler.operations.status import site_status
from reconciler.operations.trace import trace
from tests.system.conftest import ExamplePackages, MisbehavingReleases
from tests.system.main_job.conftest import HOST, Fleet, eventually


def let_proceed(host: LabHost, releases: MisbehavingReleases) -> None:
    host.unix_path(releases.proceed).write_text("go")


def await_mid_install(host: LabHost, releases: MisbehavingReleases) -> None:
    eventually(lambda: host.unix_path(releases.started).exists())


def test_agent_killed_during_an_install(fleet: Fleet, misbehaving_releases: MisbehavingReleases) -> None:
    slow = misbehaving_releases.slow
    fleet.add(slow)
    commit = fleet.publish("first", northwind_sync=slow.source.version)
    host = fleet.start()
    await_mid_install(host, misbehaving_releases)
    host.kill_agent()
    host.start_agent()
    let_proceed(host, misbehaving_releases)
    fleet.await_synced(commit)
    assert fleet.installed(host) == {slow.source.product_code: slow.source.version}
    (attempt,) = eventually(lambda: [a for a in fleet.attempts() if a.outcome is not None])
    assert attempt.outcome is Outcome.SUCCEEDED, "the run went on without its agent, and was not run again"
    assert len(fleet.attempts()) == 1


def test_power_cut_during_an_install(fleet: Fleet, misbehaving_releases: MisbehavingReleases) -> None:
    slow = misbehaving_releases.slow
    fleet.add(slow)
    commit = fleet.publish("first", northwind_sync=slow.source.version)
    host = fleet.start()
    await_mid_install(host, misbehaving_releases)
    host.power_cut()
    let_proceed(host, misbehaving_releases)
    host.boot()
    host.start_agent()
    interrupted = eventually(lambda: [a for a in fleet.attempts() if a.outcome is Outcome.INTERRUPTED])
    assert len(interrupted) == 1
    standing = eventually(
        lambda: (s := fleet.standing("northwind-sync")) and s.reason is Reason.RETRY_BACKOFF and s
    )
    assert standing.not_before is not None, "an interrupted attempt is charged, and tried again after its delay"
    assert commit == fleet.site.revisions.in_force()


def test_server_killed_between_assignment_and_report(
    fleet: Fleet, misbehaving_releases: MisbehavingReleases
) -> None:
    slow = misbehaving_releases.slow
    fleet.add(slow)
    commit = fleet.publish("first", northwind_sync=slow.source.version)
    host = fleet.start()
    await_mid_install(host, misbehaving_releases)
    fleet.daemon.kill()
    let_proceed(host, misbehaving_releases)
    eventually(lambda: slow.source.product_code in fleet.installed(host))
    fleet.daemon.start()
    fleet.await_synced(commit)
    (attempt,) = eventually(lambda: [a for a in fleet.attempts() if a.outcome is not None])
    assert attempt.outcome is Outcome.SUCCEEDED
    assert len(fleet.attempts()) == 1


def test_server_away_for_a_while(fleet: Fleet, example_packages: ExamplePackages) -> None:
    code = example_packages.get("contoso-agent", "2.0.0").source.product_code
    commit = fleet.publish("first", contoso_agent="2.0.0")
    host = fleet.start()
    fleet.await_synced(commit)
    assert fleet.daemon.stop() == 0
    host.run(f"msiexec /x {code} /qn")
    eventually(lambda: code in fleet.installed(host)), "the agent goes on by its last assignment"
    assert len(fleet.attempts()) == 1, "nobody was there to tell"
    fleet.daemon.start()
    mended = eventually(lambda: (found := fleet.attempts()) and len(found) == 2 and found[-1])
    assert mended.outcome is Outcome.SUCCEEDED
    fleet.await_synced(fleet.publish("and newer commits arrive again", contoso_agent="2.1.0"))


def test_an_artifact_with_a_wrong_sha256_is_refused_and_nothing_is_run(
    fleet: Fleet, example_packages: ExamplePackages
) -> None:
    built = example_packages.get("contoso-agent", "2.0.0")
    kept = fleet.site.artifacts.find(fleet.site.artifacts.add(built.path).sha256)
    assert kept is not None
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 1
    kept.write_bytes(content)
    fleet.publish("first", contoso_agent="2.0.0")
    host = fleet.start()
    standing = eventually(
        lambda: (s := fleet.standing("contoso-agent")) and s.reason is Reason.ARTIFACT_REFUSED and s
    )
    assert "sha256" in standing.message.lower()
    assert fleet.installed(host) == {}
    attempts = fleet.attempts()
    assert attempts
    assert all(a.outcome is Outcome.ARTIFACT_REFUSED and a.actions == () for a in attempts)
    cached = host.unix_path(AGENT_DATA + r"\artifacts")
    assert [path for path in cached.rglob("*.msi") if path.read_bytes() == bytes(content)] == []


def test_an_msi_that_fails_is_explained_by_trace(
    fleet: Fleet, example_packages: ExamplePackages, misbehaving_releases: MisbehavingReleases, tmp_path: Path
) -> None:
    good, failing = example_packages.get("contoso-viewer", "1.3.0"), misbehaving_releases.failing
    fleet.add(good, failing)
    fleet.publish("first", contoso_viewer="1.3.0")
    host = fleet.start()
    fleet.await_synced(fleet.workspace.head)
    fleet.publish("a release that cannot be installed", contoso_viewer=failing.source.version)
    failed = eventually(lambda: next((a for a in fleet.attempts() if a.outcome is Outcome.FAILED), None))
    assert failed.actions[-1].exit_code == 1603
    assert failed.message
    log = eventually(lambda: trace(fleet.site, HOST, "contoso-viewer").attempts[0].log)
    assert log.stat().st_size > 0
    shown = subprocess.run(
        [sys.executable, "-m", "reconciler.cli.main", "trace", HOST, "contoso-viewer"],
        env={"RECONCILER_DATA": str(fleet.site.settings.data), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "1603" in shown
    assert failed.message.splitlines()[0] in shown
    assert str(log) in shown

    mended = fleet.publish("back to what works", contoso_viewer="1.3.0")
    fleet.await_synced(mended)
    assert fleet.installed(host) == {good.source.product_code: "1.3.0"}


def test_a_newer_commit_is_not_held_up_by_an_earlier_failure(
    fleet: Fleet, example_packages: ExamplePackages, misbehaving_releases: MisbehavingReleases
) -> None:
    failing, other = misbehaving_releases.failing, example_packages.get("contoso-viewer", "1.4.0.1")
    fleet.add(failing, other)
    fleet.publish("broken from the start", contoso_viewer=failing.source.version)
    host = fleet.start()
    eventually(lambda: any(a.outcome is Outcome.FAILED for a in fleet.attempts()))
    fleet.await_synced(fleet.publish("another release", contoso_viewer="1.4.0.1"))
    assert set(fleet.installed(host)) == {other.source.product_code}


def test_a_commit_that_does_not_validate_changes_nothing_on_hosts(
    fleet: Fleet, example_packages: ExamplePackages
) -> None:
    good = fleet.publish("first", contoso_agent="2.0.0")
    host = fleet.start()
    fleet.await_synced(good)
    bad = fleet.publish("typo", contoso_agent="2.1.9")
    rejected = eventually(lambda: site_status(fleet.site).rejected)
    assert rejected.commit == bad
    (finding,) = rejected.findings
    assert (finding["path"], finding["rule"]) == ("environments/dev/environment.yaml", "unknown-release")
    fleet.await_synced(good)
    assert set(fleet.installed(host).values()) == {"2.0.0"}
    fleet.await_synced(fleet.publish("mended", contoso_agent="2.1.0"))


def test_a_force_pushed_branch_is_followed_to_where_it_is_now(
    fleet: Fleet, example_packages: ExamplePackages
) -> None:
    first = fleet.publish("first", contoso_agent="2.0.0")
    host = fleet.start()
    fleet.await_synced(first)
    fleet.await_synced(fleet.publish("soon to be dropped", contoso_agent="2.1.0"))
    fleet.workspace.reset(first)
    fleet.workspace.push(force=True)
    fleet.await_synced(first)
    assert set(fleet.installed(host).values()) == {"2.0.0"}
    assert fleet.site.revisions.newest()[0].rewritten


def test_an_outcome_reported_twice_counts_once(fleet: Fleet) -> None:
    commit = fleet.publish("first", contoso_agent="2.0.0")
    host = fleet.start()
    fleet.await_synced(commit)
    host.kill_agent()
    journal = host.unix_path(AGENT_DATA + r"\journal.jsonl")
    lines = journal.read_text("utf-8").splitlines(keepends=True)
    unconfirmed = [line for line in lines if "confirm" not in line]
    assert len(unconfirmed) < len(lines), "the journal holds that the server has the outcome"
    journal.write_text("".join(unconfirmed), "utf-8")
    host.start_agent()
    before = fleet.attempts()
    upgrade = fleet.publish("go on", contoso_agent="2.1.0")
    fleet.await_synced(upgrade)
    assert fleet.attempts()[: len(before)] == before
    assert len(fleet.attempts()) == len(before) + 1
