"""Puts the agent on a host by WinRM, so that from then on the host asks for itself. Leaves its file as it is."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.agent.installer_log import telling_line
from reconciler.agent.machine import Run, RunResult
from reconciler.desired.model import Host
from reconciler.grants.loading import load_grants
from reconciler.hosts.tickets import Tickets
from reconciler.hosts.winrm.commands import Commands, HostAway
from reconciler.hosts.winrm.connection import Connection
from reconciler.hosts.winrm.files import FileServer, WinRMFiles
from reconciler.hosts.winrm.machine import WinRMMachine
from reconciler.hosts.winrm.opening import open_protocol
from reconciler.hosts.winrm.target import address_of, system_resolver, target_of
from reconciler.kernel.calls import Call, CallKind
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.exit_codes import normalise_exit_code
from reconciler.kernel.redaction import redact
from reconciler.operations.agent_installer import AgentInstaller, make_agent_installer
from reconciler.operations.desired import state_in_force
from reconciler.operations.token import make_token
from reconciler.site import Site

INSTALL_SECONDS = 600.0
"""Seconds that the agent's installation may take on a host."""

_GOOD = (0, 3010, 1641)
_POLL_SECONDS = 0.5


class CannotPushAgent(ReconcilerError):
    """The agent cannot be put on a host, or did not come up there."""

    reference = "cannot-push-agent"


@dataclass(frozen=True, slots=True)
class WantedAgent:
    """How an agent is to be: the address that it asks, ``None`` for the one that the daemon last served at, and
    further settings of ``agent.json``.
    """

    server: str | None
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PushedAgent:
    """An agent that was put on a host and has enrolled. ``version`` is the agent's."""

    host: str
    environment: str
    version: str
    server: str


def push_agent(
    site: Site, name: str, wanted: WantedAgent, enrol_seconds: float, say: Callable[[str], object]
) -> PushedAgent:
    """Put the agent on a host that is reached by WinRM, and wait until it has enrolled.

    Args:
        site: the installation; its daemon must run, since the host fetches the installer from it.
        name: the host's name, in any case.
        wanted: how the agent is to be.
        enrol_seconds: how long to wait for the agent.
        say: told what is being done.

    Raises:
        CannotPushAgent: no file says how to reach the host, nothing serves, or the agent did not come up.
        NotGranted, GrantsUnusable: the server's configuration does not let the host be reached.
        UnsafeTransport: the host's transport would let secrets be read on the wire.
        ArtifactUnavailable, ArtifactRefused: the host could not fetch the installer.
        MachineError: the host does not take the run.
        NothingInForce: no valid revision was seen yet.
    """
    host = state_in_force(site).host(name)
    if host is None or host.winrm is None:
        hint = "give it a file with driver: winrm and how it is reached; see docs/how-to/push-by-winrm.md"
        raise CannotPushAgent("no file says how to reach this host", where=name, hint=hint)
    address = wanted.server or site.revisions.fact("url")
    if not address:
        raise CannotPushAgent("nothing serves agents yet", hint="start the daemon: reconciler daemon")
    authority = site.settings.data / "tls" / "ca.pem"
    known = site.hosts.find(host.name.upper())
    key_before = known.key_sha256 if known is not None else ""
    with tempfile.TemporaryDirectory(prefix="reconciler-agent-") as folder:
        say("building the installer")
        built = make_agent_installer(
            AgentInstaller(address, authority, wanted.settings), Path(folder) / "reconciler-agent.msi"
        )
        artifact = site.artifacts.add(built.path)
    data = site.settings.data
    target = target_of(host, load_grants(site.settings.grants, data))
    connection = Connection(
        host.name,
        lambda: open_protocol(target, address_of(target, system_resolver), data),
        lambda: None,
    )
    try:
        commands = Commands(host.name, connection)
        files = WinRMFiles(commands, FileServer(lambda: address, authority, Tickets(site.tickets)))
        say("the host fetches it")
        path = files.fetch(artifact)
        say("the host installs it")
        _install(WinRMMachine(commands), host, path, make_token(site, host.environment, host.name))
    except HostAway as error:
        raise CannotPushAgent(
            f"the host cannot be reached: {error}", where=host.name, hint="is its WinRM service on?"
        ) from error
    finally:
        connection.close()
    say("waiting for the agent")
    _await_enrolment(site, host, key_before, enrol_seconds)
    return PushedAgent(host.name, host.environment, built.version, address)


def _install(machine: WinRMMachine, host: Host, path: str, token: str) -> None:
    """Install the agent. The run's folder, in which the token stands, is deleted however that ends."""
    attempt = f"agent{secrets.token_hex(8)}"
    call = Call(CallKind.INSTALL, path, f"TOKEN={token} HOST={host.name}", seconds=INSTALL_SECONDS)
    try:
        running = machine.start(Run(f"{attempt}-1", call))
        result = running.result() if running.wait(INSTALL_SECONDS) else None
        if result is None or normalise_exit_code(result.exit_code) not in _GOOD:
            raise CannotPushAgent(_words(result, redact(running.log(), [token])), where=host.name)
    finally:
        machine.forget(attempt)


def _words(result: RunResult | None, log: str) -> str:
    if result is None:
        return f"the installer did not end within {INSTALL_SECONDS:.0f} s, or was ended from outside"
    told = telling_line(log)
    return f"the installer returned {normalise_exit_code(result.exit_code)}" + (f": {told}" if told else "")


def _await_enrolment(site: Site, host: Host, key_before: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        record = site.hosts.find(host.name.upper())
        if record is not None and record.key_sha256 not in ("", key_before):
            return
        if time.monotonic() >= deadline:
            hint = (
                r"see C:\ProgramData\Reconciler Agent\logs\agent.log there: can it reach the server by its name?"
            )
            raise CannotPushAgent(
                f"it is installed, but its agent has not enrolled within {seconds:.0f} s",
                where=host.name,
                hint=hint,
            )
        time.sleep(_POLL_SECONDS)
