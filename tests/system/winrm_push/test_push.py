"""The main job by WinRM, on a lab host with no agent: a pushed commit makes it match, and so does a revert."""

from __future__ import annotations

from reconciler.kernel.attempts import Outcome
from reconciler.kernel.observation import Observation
from reconciler.kernel.steps import StepKind
from reconciler.operations.lab import lab_up
from reconciler.operations.status import site_status
from reconciler.operations.trace import trace
from tests.system.main_job.conftest import HOST
from tests.system.winrm_push.conftest import ExamplePackages, PushedFleet


def test_a_commit_installs_upgrades_rolls_back_and_removes(
    pushed: PushedFleet, example_packages: ExamplePackages
) -> None:
    old = example_packages.get("contoso-agent", "2.0.0").source
    new = example_packages.get("contoso-agent", "2.1.0").source
    host = pushed.prepare()
    first = pushed.publish("first", contoso_agent="2.0.0")
    pushed.serve()
    pushed.await_synced(first)
    assert pushed.installed(host) == {old.product_code: "2.0.0"}

    upgrade = pushed.publish("upgrade", contoso_agent="2.1.0")
    pushed.await_synced(upgrade)
    assert pushed.installed(host) == {new.product_code: "2.1.0"}

    revert = pushed.workspace.revert(upgrade)
    pushed.await_synced(revert)
    assert pushed.installed(host) == {old.product_code: "2.0.0"}

    pushed.await_synced(pushed.publish("away with it", contoso_agent="absent"))
    assert pushed.installed(host) == {}

    attempts = pushed.attempts()
    assert [attempt.kind for attempt in attempts] == [
        StepKind.INSTALL,
        StepKind.MAJOR_UPGRADE,
        StepKind.ROLL_BACK,
        StepKind.REMOVE,
    ]
    assert {attempt.outcome for attempt in attempts} == {Outcome.SUCCEEDED}
    found = trace(pushed.site, HOST, "contoso-agent")
    assert [item.attempt.revision for item in found.attempts][1:3] == [revert, upgrade]


def test_a_pushed_host_and_one_with_an_agent_stand_side_by_side(
    pushed: PushedFleet, example_packages: ExamplePackages
) -> None:
    code = example_packages.get("contoso-agent", "2.0.0").source.product_code
    by_winrm = pushed.prepare()
    pushed.workspace.write({"environments/dev/hosts/DEV-02.yaml": "labels: {}\n"})
    commit = pushed.publish("both", contoso_agent="2.0.0")
    pushed.serve()
    lab_up(pushed.site, ["DEV-02"], 0.5)
    pushed.await_synced(commit)
    assert {host.host for host in site_status(pushed.site).hosts} == {HOST, "DEV-02"}
    for host in (by_winrm, pushed.lab.host("DEV-02")):
        assert pushed.installed(host) == {code: "2.0.0"}
    attempts = pushed.site.attempts.newest()
    assert {record.host for record in attempts} == {HOST, "DEV-02"}
    reports = {record.name: record.observation for record in pushed.site.hosts.all()}
    by_way = [what_is_seen(reports[name]) for name in (HOST, "DEV-02")]
    assert by_way[0] == by_way[1], "both ways of looking see the same"


def what_is_seen(observation: Observation | None) -> tuple[object, ...]:
    assert observation is not None
    return observation.products, observation.system, observation.reboot_pending
