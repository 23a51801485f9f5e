"""The agent gets onto a lab host, runs, and is killed alone. A stand-in takes the agent's place here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.lab import Lab, LabError, LabHost
from reconciler.lab.processes import processes_of
from reconciler.lab.template import PYTHON
from reconciler.testing.waiting import eventually

MakeHost = Callable[[str], LabHost]

LIBRARY = r"C:\Program Files\Reconciler Lab\lib\reconciler"
STAND_IN = """
import json, pathlib, subprocess, sys, time
data = pathlib.Path(sys.argv[sys.argv.index('--data') + 1])
from reconciler.kernel.errors import ReconcilerError
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
(data / 'seen.partial').write_text(json.dumps({'config': json.loads((data / 'agent.json').read_text()),
                                       'kernel': ReconcilerError.__module__, 'arguments': sys.argv[1:]}))
(data / 'seen.partial').replace(data / 'seen.json')
time.sleep(60)
"""


def start_stand_in(host: LabHost) -> dict[str, object]:
    host.install_agent({"server": "http://127.0.0.1:8600", "site": "Jyväskylä"})
    host.unix_path(LIBRARY + r"\agent\__main__.py").write_text(STAND_IN, encoding="utf-8")
    host.start_agent()
    seen = host.unix_path(r"C:\ProgramData\Reconciler Agent\seen.json")
    eventually(lambda: seen.exists() or not host.agent_running())
    found: dict[str, object] = json.loads(seen.read_text("utf-8"))
    return found


def test_the_agent_runs_with_its_configuration(lab_host: MakeHost) -> None:
    host = lab_host("dev-01")

    seen = start_stand_in(host)

    assert seen["config"] == {"server": "http://127.0.0.1:8600", "site": "Jyväskylä"}
    assert seen["kernel"] == "reconciler.kernel.errors"
    assert seen["arguments"] == ["run", "--data", r"C:\ProgramData\Reconciler Agent"]
    with pytest.raises(LabError, match="runs already"):
        host.start_agent()


def test_killing_the_agent_spares_its_children_and_other_hosts(lab_host: MakeHost, lab: Lab) -> None:
    host, other = lab_host("dev-01"), lab_host("dev-02")
    start_stand_in(host)
    start_stand_in(other)

    host.kill_agent()

    assert not host.agent_running()
    children = [p for p in processes_of(host.prefix.directory) if "import time; time.sleep(60)" in p.command]
    assert len(children) == 1
    assert host.booted()
    assert other.agent_running()
    assert [(s.name, s.agent_running) for s in lab.status()] == [("dev-01", False), ("dev-02", True)]


def test_the_agent_can_be_killed_at_once_after_its_start(lab_host: MakeHost) -> None:
    host = lab_host("dev-01")
    host.install_agent({})
    host.unix_path(LIBRARY + r"\agent\__main__.py").write_text(STAND_IN, encoding="utf-8")

    for _ in range(5):
        host.start_agent()
        assert host.agent_running()
        host.kill_agent()
        assert not host.agent_running()


def test_installing_again_replaces_the_code(lab_host: MakeHost) -> None:
    host = lab_host("dev-01")
    host.install_agent({})
    leftover = host.unix_path(LIBRARY + r"\kernel\leftover.py")
    leftover.touch()

    host.install_agent({"version": 2})

    assert not leftover.exists()
    assert json.loads(host.read(r"C:\ProgramData\Reconciler Agent\agent.json")) == {"version": 2}
    assert not list(Path(leftover.parent).rglob("__pycache__"))


def test_windows_python_is_whole_enough_for_an_agent(lab_host: MakeHost) -> None:
    host = lab_host("dev-01")

    modules = "asyncio, ctypes, hashlib, http.client, json, sqlite3, ssl, winreg, platform"
    finished = host.run([PYTHON, "-c", f"import {modules}; print(platform.platform(), ssl.OPENSSL_VERSION)"])

    assert finished.exit_code == 0, finished.stderr
    assert "Windows-10" in finished.stdout
