"""An agent with nothing to do, on a lab host: its memory, and processor time and bytes on the wire a check-in."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.measure import Bound, Figure, Spread, cpu_seconds_of, progress
from benchmarks.relay import Relay
from reconciler.kernel.errors import ReconcilerError
from reconciler.lab import LabHost
from reconciler.lab.agent import AGENT_DATA
from reconciler.lab.processes import processes_of
from reconciler.lab.template import PYTHON
from reconciler.operations.lab import lab_of
from reconciler.operations.status import site_status
from reconciler.operations.token import make_token
from reconciler.settings import Settings
from reconciler.site import Site, open_site
from reconciler.testing.daemon_process import DaemonProcess
from reconciler.testing.workspace import Workspace

_HOST = "IDLE-01"
_POLL_SECONDS = 1.0
_DEFAULT_POLL = 60.0
_ROUNDS = 5
_ROUND_SECONDS = 20.0
_LONGEST_WAIT = 60.0
_LOOK_AGAIN_SECONDS = 0.05
_BYTES_BOUND = Bound(2000, at_most=True)
_BARE = "import http.client, ssl, json, logging.handlers, time; time.sleep(600)"
_FILES = {
    "environments/reconciler.yaml": "version: 1\n",
    "environments/dev/environment.yaml": "packages: {}\n",
    f"environments/dev/hosts/{_HOST}.yaml": "labels: {}\n",
}


class NotIdle(ReconcilerError):
    """The agent did not come up, or had something to do."""

    reference = "not-idle"


def run() -> tuple[Figure, ...]:
    """Measure, and return the figures.

    Raises:
        LabUnavailable: this machine lacks what lab hosts need.
        NotIdle: the agent did not come up.
    """
    progress("  starting a daemon and a lab host")
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as name:
        folder = Path(name)
        workspace = Workspace(folder / "fleet.git", folder / "fleet")
        workspace.publish(_FILES, "first")
        settings = Settings(data=folder / "data", repository=str(workspace.bare))
        with open_site(settings) as site:
            daemon = DaemonProcess(settings.data, workspace.bare)
            try:
                return _measure(site, daemon)
            finally:
                daemon.kill()
                lab_of(site).down()


def _measure(site: Site, daemon: DaemonProcess) -> tuple[Figure, ...]:
    relay = Relay(urlsplit(daemon.start()).port or 0)
    _await(lambda: site.revisions.in_force() is not None, "no revision came into force")
    (host,) = lab_of(site).up([_HOST])
    _start_agent(site, host, f"https://127.0.0.1:{relay.port}")
    _await(lambda: bool(site_status(site).hosts), "the agent did not report")
    host.start([PYTHON, "-c", _BARE])
    time.sleep(5 * _POLL_SECONDS)  # what an agent does once after its start is over
    agent, bare = _process_of(host, "reconciler.agent"), _process_of(host, _BARE)
    memory, bytes_each, cpu_each = [], [], []
    for number in range(_ROUNDS):
        progress(f"  round {number + 1} of {_ROUNDS}")
        traffic, exchanges, taken = relay.sent + relay.received, relay.exchanges, cpu_seconds_of(agent)
        time.sleep(_ROUND_SECONDS)
        count = relay.exchanges - exchanges
        bytes_each.append((relay.sent + relay.received - traffic) / count)
        cpu_each.append((cpu_seconds_of(agent) - taken) / count)
        memory.append(_own_memory(agent) / _own_memory(bare))
    idle = [seconds / _DEFAULT_POLL * 100 for seconds in cpu_each]
    return (
        Figure("bytes on the wire a check-in, TLS included", "B", Spread.of(bytes_each), _BYTES_BOUND),
        Figure("processor time a check-in, the look included", "s", Spread.of(cpu_each)),
        Figure("of one core, at a check-in a minute", "%", Spread.of(idle)),
        Figure("memory ÷ a bare Python with the same libraries", "", Spread.of(memory)),
        Figure("memory of its own", "MiB", Spread.of([_own_memory(agent) / 2**20])),
    )


def _start_agent(site: Site, host: LabHost, url: str) -> None:
    host.install_agent(
        {
            "server": url,
            "host": _HOST,
            "token": make_token(site, "dev"),
            "ca": "ca.pem",
            "pollSeconds": _POLL_SECONDS,
        }
    )
    host.copy_in(site.settings.data / "tls" / "ca.pem", AGENT_DATA + "\\ca.pem")
    host.start_agent()


def _process_of(host: LabHost, word: str) -> int:
    found = [process.pid for process in processes_of(host.prefix.directory) if word in process.command]
    if len(found) != 1:
        raise NotIdle(f"{len(found)} processes run {word[:40]!r}, and there should be one", where=host.name)
    return found[0]


def _own_memory(pid: int) -> float:
    """Return the bytes that a process alone takes: what it shares with others is there anyway.

    Source: docs.kernel.org/filesystems/proc.html (smaps_rollup)
    """
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    return 1024.0 * sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def _await(holds: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + _LONGEST_WAIT
    while not holds():
        if time.monotonic() > deadline:
            raise NotIdle(otherwise)
        time.sleep(_LOOK_AGAIN_SECONDS)
