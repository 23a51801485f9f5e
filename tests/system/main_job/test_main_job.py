"""The main job on a lab host: a pushed commit makes it match, and so does a revert."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from reconciler.kernel.attempts import Outcome
from reconciler.kernel.steps import StepKind
from reconciler.operations.trace import trace
from tests.system.conftest import ExamplePackages
from tests.system.main_job.conftest import HOST, Fleet, assert_main_job, eventually


def test_a_commit_installs_upgrades_rolls_back_and_removes(
    fleet: Fleet, example_packages: ExamplePackages
) -> None:
    assert_main_job(fleet, example_packages, fleet.start)


def test_a_minor_update_keeps_the_product_code(fleet: Fleet, example_packages: ExamplePackages) -> None:
    update = example_packages.get("contoso-agent", "2.1.1")
    fleet.add(update)
    fleet.publish("first", contoso_agent="2.1.0")
    host = fleet.start()
    fleet.await_synced(fleet.workspace.head)
    fleet.await_synced(fleet.publish("minor update", contoso_agent="2.1.1"))
    assert fleet.installed(host) == {update.source.product_code: "2.1.1"}
    last = fleet.attempts()[-1]
    assert last.kind is StepKind.MINOR_UPDATE
    assert "REINSTALL=ALL REINSTALLMODE=vomus" in last.actions[0].command


def test_releases_alike_in_three_fields_replace_each_other(
    fleet: Fleet, example_packages: ExamplePackages
) -> None:
    first = example_packages.get("contoso-viewer", "1.4.0.1")
    second = example_packages.get("contoso-viewer", "1.4.0.2")
    fleet.add(first, second)
    fleet.publish("first", contoso_viewer="1.4.0.1")
    host = fleet.start()
    fleet.await_synced(fleet.workspace.head)
    fleet.await_synced(fleet.publish("replace", contoso_viewer="1.4.0.2"))
    assert set(fleet.installed(host)) == {second.source.product_code}
    assert fleet.attempts()[-1].kind is StepKind.REPLACE


def test_what_somebody_removes_by_hand_comes_back(fleet: Fleet, example_packages: ExamplePackages) -> None:
    code = example_packages.get("contoso-agent", "2.0.0").source.product_code
    commit = fleet.publish("first", contoso_agent="2.0.0")
    host = fleet.start()
    fleet.await_synced(commit)
    host.run(f"msiexec /x {code} /qn")
    eventually(lambda: len([a for a in fleet.attempts() if a.outcome is Outcome.SUCCEEDED]) == 2)
    assert fleet.installed(host) == {code: "2.0.0"}


def test_what_nothing_was_said_of_is_left_alone(fleet: Fleet, example_packages: ExamplePackages) -> None:
    stranger = example_packages.get("northwind-sync", "5.0.0")
    commit = fleet.publish("first", contoso_agent="2.0.0")
    host = fleet.start()
    fleet.await_synced(commit)
    host.copy_in(stranger.path, r"C:\by-hand.msi")
    assert host.run(r"msiexec /i C:\by-hand.msi /qn").exit_code == 0
    fleet.add(stranger)
    fleet.await_synced(fleet.publish("the package is in the catalog, and nothing is wanted of it"))
    fleet.await_synced(fleet.publish("go on", contoso_agent="2.1.0"))
    assert fleet.installed(host)[stranger.source.product_code] == "5.0.0"
    assert {attempt.package for attempt in fleet.attempts()} == {"contoso-agent"}


def test_trace_leads_from_the_host_back_to_the_commit(fleet: Fleet) -> None:
    first = fleet.publish("bring in the agent", contoso_agent="2.0.0")
    fleet.start()
    fleet.await_synced(first)
    upgrade = fleet.publish("upgrade the agent", contoso_agent="2.1.0")
    fleet.await_synced(upgrade)
    fleet.await_synced(fleet.workspace.publish({"README.md": "unrelated"}, "unrelated"))
    found = trace(fleet.site, HOST.lower(), "contoso-agent")
    assert found.asked_by is not None
    assert (found.asked_by.commit.id, found.asked_by.version) == (upgrade, "2.1.0")
    assert [product.version for product in found.installed] == ["2.1.0"]
    assert [item.asked_by.commit.id for item in found.attempts if item.asked_by] == [upgrade, first]


def test_lab_hosts_by_command(fleet: Fleet) -> None:
    fleet.publish("first", contoso_agent="2.0.0")
    fleet.daemon.start()
    eventually(fleet.site.revisions.in_force)

    def reconciler(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "reconciler.cli.main", "lab", *words],
            env={**os.environ, "RECONCILER_DATA": str(fleet.site.settings.data)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    (up,) = json.loads(reconciler("up", "--poll-seconds", "0.5", "--format", "json"))
    assert (up["name"], up["booted"], up["agent_running"]) == (HOST, True, True)
    fleet.await_synced(fleet.workspace.head)
    assert reconciler("up", HOST), "what runs already is left as it is"
    assert len(fleet.attempts()) == 1
    assert reconciler("down") == "removed 1 lab host(s)\n"
    assert json.loads(reconciler("status", "--format", "json")) == []
