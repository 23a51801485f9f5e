"""The real agent on a lab host: settings and programs with an installer of their own, and health checks."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from reconciler.kernel.artifact import Artifact
from reconciler.kernel.assignment import Assignment, Goal
from reconciler.kernel.attempts import Outcome
from reconciler.kernel.configuration import (
    PlacedFile,
    RegistryType,
    RegistryValue,
    ServiceSetup,
    ServiceState,
    StartMode,
)
from reconciler.kernel.convergence import converge
from reconciler.kernel.observation import Observation
from reconciler.kernel.practice import HealthCheck, Practice
from reconciler.kernel.probes import Probe, ProbeKind
from reconciler.kernel.protocol import goal_fingerprint
from reconciler.kernel.releases import ConfigurationRelease, PackageKind, ProgramRelease
from reconciler.kernel.status import Health, Reason
from reconciler.kernel.steps import StepKind
from reconciler.lab.template import PYTHON
from reconciler.testing.waiting import eventually
from tests.system.artifacts.conftest import program as write_program

KEY = r"HKLM\SOFTWARE\Contoso\Settings"
CONFIG = r"C:\Program Files\Contoso\settings.ini"
SERVICE = "Spooler"
OLD, NEW = "3.13.2150.1013", "10.0.18362.1350"
"""Versions of a file, of four fields each."""


def text_file(path: str, text: str) -> PlacedFile:
    return PlacedFile(path, hashlib.sha256(text.encode()).hexdigest(), text)


def want(agent_host, goal: Goal, revision: str) -> None:
    goal = replace(goal, fingerprint=goal_fingerprint(goal))
    agent_host.server.assign(Assignment(agent_host.host.name.upper(), "dev", revision, (goal,)))


def registry(host, key: str, name: str) -> str:
    finished = host.run(["reg", "query", key, "/v", name])
    return finished.stdout.split("    ")[-1].strip() if finished.exit_code == 0 else ""


@pytest.fixture
def two_versions(agent_host) -> tuple[ConfigurationRelease, ConfigurationRelease]:
    """Two versions of the same settings; the second has a value and a file (an artifact) more."""
    content = b"[service]\r\nname=contoso\r\n"
    sha256 = hashlib.sha256(content).hexdigest()
    agent_host.server.artifacts[sha256] = content
    extra = PlacedFile(r"C:\Contoso\extra.ini", sha256, artifact=Artifact(sha256, len(content), "extra.ini"))

    def release(version: str, number: str, *more):
        settings = (
            RegistryValue(KEY, "Level", RegistryType.DWORD, number),
            text_file(CONFIG, f"level={number}\n"),
            ServiceSetup(SERVICE, StartMode.AUTOMATIC, ServiceState.RUNNING),
            *more,
        )
        return ConfigurationRelease(version, settings)

    return release("1.0", "1"), release("2.0", "2", RegistryValue(KEY, "Extra", RegistryType.SZ, "yes"), extra)


def test_settings_converge_are_mended_and_go_back(agent_host, two_versions):
    first, second = two_versions
    host = agent_host.host
    agent_host.start_agent()
    goal = Goal("settings", "", first, (second,), kind=PackageKind.CONFIGURATION)
    want(agent_host, goal, "r1")
    attempt = agent_host.attempts(1)[-1]
    assert (attempt.kind, attempt.outcome, attempt.message) == (StepKind.CONFIGURE, Outcome.SUCCEEDED, "")
    assert (registry(host, KEY, "Level"), host.read(CONFIG)) == ("0x1", b"level=1\n")
    assert registry(host, KEY, "Extra") == ""

    want(agent_host, replace(goal, target=second, others=(first,)), "r2")
    assert agent_host.attempts(2)[-1].outcome is Outcome.SUCCEEDED
    assert (registry(host, KEY, "Level"), registry(host, KEY, "Extra")) == ("0x2", "yes")
    assert host.read(r"C:\Contoso\extra.ini").startswith(b"[service]")

    host.unix_path(CONFIG).write_text("somebody was here")
    assert host.run(["reg", "add", KEY, "/v", "Level", "/t", "REG_DWORD", "/d", "9", "/f"]).exit_code == 0
    eventually(lambda: host.read(CONFIG) == b"level=2\n" and registry(host, KEY, "Level") == "0x2")

    done = len(agent_host.attempts(3))
    want(agent_host, goal, "r3")
    eventually(lambda: registry(host, KEY, "Level") == "0x1")
    agent_host.attempts(done + 1)
    assert registry(host, KEY, "Extra") == ""
    assert not host.unix_path(r"C:\Contoso\extra.ini").exists()
    assert host.read(CONFIG) == b"level=1\n"


@pytest.fixture
def program(agent_host, tmp_path):
    """Releases of a program: its installer is Wine's cmd.exe, told which file to copy."""
    content = agent_host.host.unix_path(r"C:\windows\system32\cmd.exe").read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    agent_host.server.artifacts[sha256] = content
    artifact = Artifact(sha256, len(content), "tool-setup.exe")

    def release(version: str, code: int = 0) -> ProgramRelease:
        return ProgramRelease(
            version,
            artifact,
            Probe(ProbeKind.FILE_VERSION, r"C:\Contoso\tool.exe"),
            arguments=rf'/c "copy C:\Builds\{version}.exe C:\Contoso\tool.exe & exit {code}"',
            uninstall=r"del C:\Contoso\tool.exe",
        )

    host = agent_host.host
    host.unix_path(r"C:\Contoso").mkdir()
    # What it installs: not Wine's own programs, whose versions differ from one Wine to the next.
    for version in (OLD, NEW):
        host.copy_in(write_program(tmp_path / version, "Tool", version), rf"C:\Builds\{version}.exe")
    return release


def test_a_program_goes_through_every_kind_of_step(agent_host, program):
    installed = program(OLD)
    goal = Goal("tool", "", installed, kind=PackageKind.EXE)
    want(agent_host, goal, "r1")
    agent_host.start_agent()
    attempt = agent_host.attempts(1)[-1]
    assert (attempt.kind, attempt.outcome, attempt.message) == (StepKind.INSTALL, Outcome.SUCCEEDED, "")
    assert agent_host.host.unix_path(r"C:\Contoso\tool.exe").exists()

    agent_host.host.unix_path(r"C:\Contoso\tool.exe").unlink()
    assert agent_host.attempts(2)[-1].kind is StepKind.INSTALL

    want(agent_host, replace(goal, target=program(NEW), others=(installed,)), "r2")
    attempt = agent_host.attempts(3)[-1]
    assert (attempt.kind, attempt.outcome, attempt.message) == (StepKind.UPGRADE, Outcome.SUCCEEDED, "")
    want(agent_host, replace(goal, others=(program(NEW),)), "r3")
    attempt = agent_host.attempts(4)[-1]
    assert (attempt.kind, attempt.outcome, attempt.message) == (StepKind.ROLL_BACK, Outcome.SUCCEEDED, "")

    want(agent_host, replace(goal, target=None, others=(installed,)), "r4")
    attempt = agent_host.attempts(5)[-1]
    assert (attempt.kind, attempt.outcome) == (StepKind.REMOVE, Outcome.SUCCEEDED)
    assert not agent_host.host.unix_path(r"C:\Contoso\tool.exe").exists()


def test_a_programs_failure_is_told_by_its_own_last_words(agent_host, program):
    failing = replace(program(OLD), arguments='/c "echo no licence found& exit 77"')
    want(agent_host, Goal("tool", "", failing, kind=PackageKind.EXE), "r1")
    agent_host.start_agent()
    attempt = agent_host.attempts(1)[-1]
    assert (attempt.outcome, attempt.actions[0].exit_code) == (Outcome.FAILED, 77)
    assert attempt.message == "the installer returned 77: no licence found"
    agent_host.server.wait_for(lambda s: "no licence found" in s.logs.get(attempt.id, ""))


def test_a_hanging_installer_is_ended_and_told(agent_host, program):
    hanging = replace(program(OLD), arguments=f'/c ""{PYTHON}" -c "import time; time.sleep(600)""')
    goal = Goal("tool", "", hanging, kind=PackageKind.EXE, practice=Practice(seconds=3.0))
    want(agent_host, goal, "r1")
    agent_host.start_agent()
    attempt = agent_host.attempts(1)[-1]
    assert attempt.outcome is Outcome.FAILED
    assert "did not end within 3 s and was ended by force" in attempt.message


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def test_a_health_check_that_breaks_is_seen(agent_host, two_versions, listener):
    first, _ = two_versions
    port = str(listener.getsockname()[1])
    checks = (
        HealthCheck(Probe(ProbeKind.SERVICE, SERVICE), "running"),
        HealthCheck(Probe(ProbeKind.PORT, port), "open"),
    )
    setup = ConfigurationRelease("1.0", first.settings[:2])
    goal = Goal(
        "settings", "", setup, kind=PackageKind.CONFIGURATION, practice=Practice(checks=checks, settle=5.0)
    )
    assert agent_host.host.run(["net", "start", SERVICE]).exit_code == 0
    want(agent_host, goal, "r1")
    agent_host.start_agent()
    assert agent_host.attempts(1)[-1].outcome is Outcome.SUCCEEDED

    def standing(observed: Observation):
        return converge(agent_host.server.assignment, observed, 0.0).standings[0]

    def is_told(health: Health, message: str = ""):
        reason = Reason.CHECK_FAILED if message else None

        def look(server) -> bool:
            now = standing(server.reports[-1].observation)
            return now.health is health and (reason is None or (now.reason, now.message) == (reason, message))

        return look

    agent_host.server.wait_for(is_told(Health.HEALTHY))
    assert agent_host.host.run(["net", "stop", SERVICE]).exit_code == 0
    # A look may find it stopping first.
    agent_host.server.wait_for(is_told(Health.DEGRADED, "service:Spooler is stopped manual, not running"))
    assert agent_host.host.run(["net", "start", SERVICE]).exit_code == 0
    agent_host.server.wait_for(is_told(Health.HEALTHY))
    listener.close()
    agent_host.server.wait_for(is_told(Health.DEGRADED, f"port:{port} is closed, not open"))
