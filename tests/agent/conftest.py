"""The agent in this process, on a simulated machine, against a server of the test's own."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.agent.loop import Agent
from reconciler.agent.machine import Machine, Signatures
from reconciler.agent.settings import SETTINGS_NAME, load_settings
from reconciler.testing.agent_server import AgentServer
from reconciler.testing.sample_packages import Catalog
from reconciler.testing.simulated_machine import SimulatedMachine

Start = Callable[..., "RunningAgent"]


class RunningAgent:
    """An agent in a thread, and its machine."""

    def __init__(self, data: Path, machine: Machine, signatures: Signatures) -> None:
        self.data = data
        self.agent = Agent(load_settings(data), data, machine, signatures)
        self.thread = threading.Thread(target=self.agent.run, name="agent")
        self.thread.start()

    def stop(self) -> None:
        self.agent.stop()
        self.thread.join(90)
        assert not self.thread.is_alive()


@pytest.fixture
def server() -> Iterator[AgentServer]:
    server = AgentServer()
    yield server
    server.close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def machine(data: Path) -> SimulatedMachine:
    return SimulatedMachine(data / "machine.json")


@pytest.fixture
def catalog(server: AgentServer) -> Catalog:
    return Catalog(server.artifacts)


@pytest.fixture
def start(server: AgentServer, data: Path, machine: SimulatedMachine) -> Iterator[Start]:
    """Start the agent; again after a stop, as a restarted process would."""
    running: list[RunningAgent] = []

    def begin(machine_: Machine = machine, poll: float = 0.1, address: str | None = None) -> RunningAgent:
        settings = data / SETTINGS_NAME
        if not settings.exists():
            content = {"server": address or server.url, "host": "HOST7", "token": "token", "pollSeconds": poll}
            settings.write_text(json.dumps(content))
        running.append(RunningAgent(data, machine_, machine.signatures))
        return running[-1]

    yield begin
    for agent in running:
        agent.stop()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """Two authorities of their own, each with its certificate for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    for name in ("ours", "theirs"):
        command = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ]
        command += ["-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
        command += ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
        subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture
def tls_server(certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "ours.pem", certificates / "ours.key")
    server = AgentServer(context)
    yield server
    server.close()
