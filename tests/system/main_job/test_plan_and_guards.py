"""What a plan shows is what runs; holds, dropped packages and large removals are minded, on real hosts."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from reconciler.kernel.status import Reason
from reconciler.operations.plan import plan_revision
from reconciler.testing import preloaded
from tests.system.conftest import ExamplePackages
from tests.system.main_job.conftest import ENVIRONMENT, HOST, Fleet, eventually


def shown_by_plan(fleet: Fleet, revision: str) -> list[tuple[str, str, str | None, str | None]]:
    environment = {"RECONCILER_DATA": str(fleet.site.settings.data), "PATH": os.environ["PATH"]}
    done = preloaded.run(["plan", "--revision", revision, "--format", "json"], environment)
    steps: list[dict[str, Any]] = json.loads(done.stdout)["plan"]["steps"]
    return [(s["package"], s["kind"], s["from_version"], s["to_version"]) for s in steps]


def test_what_the_plan_shows_is_what_runs(fleet: Fleet, example_packages: ExamplePackages) -> None:
    viewer = [example_packages.get("contoso-viewer", version) for version in ("1.3.0", "1.4.0.1", "1.4.0.2")]
    fleet.add(*viewer, example_packages.get("contoso-agent", "2.1.1"))
    fleet.publish("first", contoso_agent="2.0.0")
    fleet.start()
    fleet.await_synced(fleet.workspace.head)
    wanted = [
        {"contoso_agent": "2.1.0", "contoso_viewer": "1.4.0.1"},
        {"contoso_agent": "2.1.1", "contoso_viewer": "1.4.0.2"},
        {"contoso_agent": "2.0.0", "contoso_viewer": "1.3.0"},
        {"contoso_agent": "absent", "contoso_viewer": "1.3.0"},
    ]
    for number, versions in enumerate(wanted):
        before = len(fleet.attempts())
        commit = fleet.publish(f"change {number}", f"change-{number}", **versions)
        shown = shown_by_plan(fleet, f"change-{number}")
        assert shown, "every one of these changes something"
        fleet.workspace.push()
        fleet.await_synced(commit)
        ran = [(a.package, a.kind.value, a.from_version, a.to_version) for a in fleet.attempts()[before:]]
        assert sorted(ran, key=str) == sorted(shown, key=str)


def test_a_held_host_is_left_alone_until_the_hold_ends(fleet: Fleet) -> None:
    fleet.publish("first", contoso_agent="2.0.0")
    host = fleet.start()
    fleet.await_synced(fleet.workspace.head)
    held = {f"environments/dev/hosts/{HOST}.yaml": "hold: {reason: the auditors are here}\n"}
    fleet.workspace.publish(held, "hold")
    fleet.workspace.publish({ENVIRONMENT: "packages: {contoso-agent: 2.1.0}\n"}, "upgrade")
    # Until its next check-in the host counts as at work on the step before.
    standing = eventually(
        lambda: (s := fleet.standing("contoso-agent")) and s.wanted == "2.1.0" and s.reason is Reason.HELD and s
    )
    assert standing.message == "the auditors are here"
    time.sleep(1.5)  # three polls of the agent's: nothing may happen, and nothing tells when it has not
    assert set(fleet.installed(host).values()) == {"2.0.0"}
    released = fleet.workspace.publish({f"environments/dev/hosts/{HOST}.yaml": "labels: {}\n"}, "release")
    fleet.await_synced(released)
    assert set(fleet.installed(host).values()) == {"2.1.0"}


def test_a_package_that_vanishes_from_the_file_stays_unless_the_environment_prunes(
    fleet: Fleet, example_packages: ExamplePackages
) -> None:
    stranger = example_packages.get("northwind-sync", "5.0.0")
    fleet.add(stranger)
    fleet.publish("first", contoso_agent="2.0.0")
    host = fleet.start()
    fleet.await_synced(fleet.workspace.head)
    host.copy_in(stranger.path, r"C:\by-hand.msi")
    assert host.run(r"msiexec /i C:\by-hand.msi /qn").exit_code == 0

    dropped = fleet.workspace.publish({ENVIRONMENT: "packages: {}\n"}, "vanished")
    (change,) = plan_revision(fleet.site, dropped, f"{dropped}~1").changes
    assert change.kind.value == "dropped"
    fleet.await_synced(dropped)
    assert "2.0.0" in fleet.installed(host).values()

    again = fleet.workspace.publish(
        {ENVIRONMENT: "prune: true\npackages: {contoso-agent: 2.0.0}\n"}, "named again"
    )
    fleet.await_synced(again)
    pruned = fleet.workspace.publish({ENVIRONMENT: "prune: true\npackages: {}\n"}, "pruned")
    fleet.await_synced(pruned)
    eventually(lambda: set(fleet.installed(host).values()) == {"5.0.0"})
    assert {a.package for a in fleet.attempts()} == {"contoso-agent"}, "what was never asked for is not pruned"
