"""A promotion on real hosts: refused until it has soaked, taken back by trouble, proposed, merged, installed."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from reconciler.desired.commits import read_text
from reconciler.desired.repository import GitRepository
from reconciler.kernel.status import Reason
from reconciler.operations.lab import lab_up
from reconciler.operations.status import site_status
from reconciler.testing import preloaded
from tests.system.conftest import MisbehavingReleases
from tests.system.main_job.conftest import Fleet, eventually

UAT = "environments/uat/environment.yaml"
TOO_LONG, SHORT = "1h", "1s"
"""Soak times: one that no run of this test reaches, and one that every run reaches."""


def promote(fleet: Fleet, *words: str) -> subprocess.CompletedProcess[str]:
    author = "Riley Release <riley@example.com>"
    environment = {"RECONCILER_DATA": str(fleet.site.settings.data), "PATH": os.environ["PATH"]}
    return preloaded.run(["promote", "--to", "uat", "--author", author, *words], environment)


def proposed(fleet: Fleet) -> dict[str, Any] | None:
    done = promote(fleet, "--package", "contoso-agent", "--format", "json")
    shown: dict[str, Any] | None = json.loads(done.stdout) if done.returncode == 0 else None
    return shown


def settled(fleet: Fleet, host: str, commit: str) -> bool:
    status = site_status(fleet.site)
    at_rest = {item.host for item in status.hosts if item.reason is Reason.UP_TO_DATE}
    return status.in_force is not None and status.in_force.commit == commit and host in at_rest


def test_a_release_goes_from_dev_to_uat(fleet: Fleet, misbehaving_releases: MisbehavingReleases) -> None:
    fleet.add(misbehaving_releases.failing)
    fleet.workspace.write(
        {
            UAT: f"soak: {TOO_LONG}\npromotesFrom: dev\npackages:\n  contoso-agent: 2.0.0 # as ever\n",
            "environments/uat/hosts/UAT-01.yaml": "",
        }
    )
    first = fleet.publish("first", contoso_agent="2.0.0")
    dev = fleet.start()
    lab_up(fleet.site, ["UAT-01"], 0.5)
    uat = fleet.lab.host("UAT-01")
    eventually(lambda: settled(fleet, "DEV-01", first) and settled(fleet, "UAT-01", first))
    assert promote(fleet).stdout == "nothing to promote from dev to uat\n"

    upgrade = fleet.publish("dev gets 2.1.0", contoso_agent="2.1.0")
    early = promote(fleet)
    assert early.returncode == 1
    assert "contoso-agent 2.1.0 is not verified in dev\n  DEV-01: " in early.stderr
    eventually(lambda: settled(fleet, "DEV-01", upgrade))
    soak(fleet, SHORT)
    shown = eventually(lambda: proposed(fleet))
    assert (shown["fate"], shown["branch"]) == ("opened", "promote/uat/contoso-agent")
    (evidence,) = shown["proposal"]["promoted"][0]["verification"]["hosts"]
    assert (evidence["host"], evidence["witnessed"]) == ("DEV-01", "healthy")

    # The package is gone from the host for a moment: its soak time starts again.
    soak(fleet, TOO_LONG)
    tried = len(fleet.attempts())
    (code,) = (code for code, version in fleet.installed(dev).items() if version == "2.1.0")
    assert dev.run(f"msiexec /x {code} /qn").exit_code == 0
    eventually(lambda: len(fleet.attempts()) > tried)
    doubtful = promote(fleet, "--package", "contoso-agent")
    assert doubtful.returncode == 1
    assert "contoso-agent is proposed on promote/uat/contoso-agent: do not merge that now" in doubtful.stderr
    soak(fleet, SHORT)
    again = eventually(lambda: proposed(fleet))
    assert (again["fate"], again["commit"]) == ("unchanged", shown["commit"])

    failing = misbehaving_releases.failing.source.version
    fleet.publish("a bad one", contoso_viewer=failing)
    eventually(lambda: (s := reason_of(fleet, "contoso-viewer")) and s is Reason.RETRY_BACKOFF)
    refused = promote(fleet, "--package", "contoso-viewer")
    assert refused.returncode == 1
    assert f"contoso-viewer {failing} is not verified in dev\n  DEV-01: OutOfSync, Degraded, " in refused.stderr

    merged = merge(fleet, shown["branch"])
    eventually(lambda: settled(fleet, "UAT-01", merged))
    assert set(fleet.installed(uat).values()) == {"2.1.0"}
    assert "contoso-agent: 2.1.0 # as ever\n" in (
        read_text(GitRepository(fleet.workspace.bare), merged, UAT) or ""
    )
    assert "promote/uat/contoso-agent is merged" in promote(fleet, "--package", "contoso-agent").stdout


def soak(fleet: Fleet, time: str) -> None:
    """Change the soak time of uat, and wait until the daemon has taken it."""
    uat = fleet.workspace.path(UAT)
    rest = uat.read_text("utf-8").split("\n", 1)[1]
    fleet.workspace.write({UAT: f"soak: {time}\n{rest}"})
    commit = fleet.publish(f"soak {time}")
    eventually(lambda: fleet.site.revisions.in_force() == commit)


def reason_of(fleet: Fleet, package: str) -> Reason | None:
    packages = [standing for host in site_status(fleet.site).hosts for standing in host.packages]
    return next((standing.reason for standing in packages if standing.package == package), None)


def merge(fleet: Fleet, branch: str) -> str:
    """Do what a git host does when somebody presses its button, and return the merge commit."""
    bare = fleet.workspace.bare
    clone = bare.with_name("reviewer")
    identity = ("-c", "user.name=Sam", "-c", "user.email=sam@example.com")
    subprocess.run(["git", "clone", "--quiet", str(bare), str(clone)], check=True)
    git = ["git", "-C", str(clone), *identity]
    subprocess.run([*git, "merge", "--quiet", "--no-ff", "--no-edit", f"origin/{branch}"], check=True)
    subprocess.run([*git, "push", "--quiet", "origin", "main"], check=True)
    return GitRepository(bare).head("main")
