"""The main job by WinRM, on a lab host with no agent: a pushed commit makes it match, and so does a revert."""

from __future__ import annotations

from reconciler.kernel.observation import Observation
from reconciler.lab import LabHost
from reconciler.operations.lab import lab_up
from reconciler.operations.status import site_status
from tests.system.main_job.conftest import HOST, assert_main_job
from tests.system.winrm_push.conftest import ExamplePackages, PushedFleet


def test_a_commit_installs_upgrades_rolls_back_and_removes(
    pushed: PushedFleet, example_packages: ExamplePackages
) -> None:
    host = pushed.prepare()

    def begin() -> LabHost:
        pushed.serve()
        return host

    assert_main_job(pushed, example_packages, begin)


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
