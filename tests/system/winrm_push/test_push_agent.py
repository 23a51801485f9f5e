"""The agent is put on a host by WinRM, and keeps the host once its file says so no longer."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from reconciler.testing.waiting import eventually
from tests.system.main_job.conftest import HOST
from tests.system.winrm_push.conftest import HOST_FILE, ExamplePackages, PushedFleet

AGENT = r"C:\ProgramData\Reconciler Agent"


def push(fleet: PushedFleet, host: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reconciler.cli.main", "agent", "push", host, "--poll-seconds", "1"]
    return subprocess.run(
        [*command, "--format", "json", "--data", str(fleet.site.settings.data)],
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )


def test_the_agent_is_pushed_enrols_and_takes_over(pushed: PushedFleet, example_packages: ExamplePackages) -> None:
    code = example_packages.get("contoso-agent", "2.0.0").source.product_code
    host = pushed.prepare()
    commit = pushed.publish("first", contoso_agent="2.0.0")
    pushed.serve()
    pushed.await_synced(commit)

    done = push(pushed, HOST)

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["host"], told["environment"]) == (HOST, "dev")
    settings = json.loads(host.read(AGENT + r"\agent.json"))
    assert "token" not in settings
    assert not list(host.unix_path(r"C:\Program Files\Reconciler Push\runs").glob("agent*"))

    pushed.workspace.write({HOST_FILE: "labels: {}\n"})
    by_agent = pushed.publish("by its agent", contoso_agent="2.1.0")
    pushed.await_synced(by_agent)
    assert code not in pushed.installed(host)

    def told_by_the_agent() -> bool:
        record = pushed.site.hosts.find(HOST)
        return record is not None and record.observation is not None and bool(record.observation.agent_version)

    assert eventually(told_by_the_agent)


def test_a_host_whose_file_does_not_say_how_to_reach_it_is_refused(pushed: PushedFleet) -> None:
    pushed.workspace.write({HOST_FILE: "labels: {}\n"})
    pushed.publish("no driver")
    pushed.serve()
    eventually(pushed.site.revisions.in_force)
    done = push(pushed, HOST)
    assert done.returncode == 1
    assert "no file says how to reach this host" in done.stderr
