"""The hosts of the demonstration: lab hosts, or simulated ones where there can be no lab.

Looks at a host by another way than its agent does, so that what is shown does not rest on the agent's word.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from reconciler.kernel.configuration import Setting
from reconciler.kernel.probes import Answers
from reconciler.lab import Lab, LabHost
from reconciler.lab.products import registered_products, remove_product
from reconciler.lab.settings import settings_seen
from reconciler.operations.desired import state_in_force
from reconciler.operations.lab import lab_of, lab_up
from reconciler.operations.token import make_token
from reconciler.site import Site
from reconciler.testing.simulated_host import state_file
from reconciler.testing.simulated_windows import SimulatedWindows

POLL_SECONDS = 1.0
"""Seconds between the check-ins of the demonstration's agents."""

Installed = dict[str, str]
"""Versions by product code."""


class DemoHosts(Protocol):
    """The hosts, all of them."""

    kind: str
    """What they are, in a word."""

    def start(self, site: Site) -> None:
        """Start every host of the desired state in force, with an agent that enrols."""

    def installed(self, host: str) -> Installed:
        """Look at a host."""

    def settings(self, host: str, settings: Sequence[Setting]) -> Answers:
        """Look at what a host has of these."""

    def remove_by_hand(self, host: str, product_code: str) -> Installed:
        """Remove a product as somebody with a mouse would, behind the agent's back; return what is left then."""

    def stop(self) -> None:
        """End and remove every host."""


class LabHosts:
    """Wine prefixes with the real agent and the real Windows Installer engine."""

    kind = "lab"

    def __init__(self) -> None:
        self._lab: Lab | None = None

    def start(self, site: Site) -> None:
        """Start every host of the desired state in force, with an agent that enrols."""
        self._lab = lab_of(site)
        lab_up(site, (), POLL_SECONDS)

    def installed(self, host: str) -> Installed:
        """Read the host's Uninstall keys; the agent asks msi.dll."""
        return registered_products(self._host(host))

    def settings(self, host: str, settings: Sequence[Setting]) -> Answers:
        """Read files from outside, and the registry by a script."""
        return settings_seen(self._host(host), settings)

    def remove_by_hand(self, host: str, product_code: str) -> Installed:
        """Run msiexec on the host."""
        return remove_product(self._host(host), product_code)

    def stop(self) -> None:
        """End and remove every host."""
        if self._lab is not None:
            self._lab.down()

    def _host(self, name: str) -> LabHost:
        assert self._lab is not None, "start comes first"
        return self._lab.host(name)


class SimulatedHosts:
    """The real agent on a simulated Windows: nothing is really installed."""

    kind = "simulated"

    def __init__(self) -> None:
        self._folders: dict[str, Path] = {}
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, site: Site) -> None:
        """Start every host of the desired state in force, with an agent that enrols."""
        desired = state_in_force(site)
        for host in desired.hosts.values():
            folder = site.settings.data / "simulated" / host.name
            folder.mkdir(parents=True)
            self._folders[host.name] = folder
            settings = {
                "server": site.revisions.fact("url"),
                "host": host.name,
                "token": make_token(site, host.environment, host.name),
                "ca": str((site.settings.data / "tls" / "ca.pem").resolve()),
                "pollSeconds": POLL_SECONDS,
            }
            (folder / "agent.json").write_text(json.dumps(settings), "utf-8")
            command = [sys.executable, "-m", "reconciler.testing.simulated_host", "run", "--data", str(folder)]
            self._processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True))

    def installed(self, host: str) -> Installed:
        """Look at the simulated Windows itself."""
        products = SimulatedWindows(state_file(self._folders[host])).state().products
        return {product.product_code: product.version for product in products}

    def settings(self, host: str, settings: Sequence[Setting]) -> Answers:
        """Look at the simulated Windows itself."""
        state = SimulatedWindows(state_file(self._folders[host])).state()
        return {answer.probe: answer.text for answer in state.answers}

    def remove_by_hand(self, host: str, product_code: str) -> Installed:
        """Take the product out of the simulated Windows."""
        left = SimulatedWindows(state_file(self._folders[host])).remove(product_code)
        return {product.product_code: product.version for product in left}

    def stop(self) -> None:
        """End the agents."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()
        self._processes.clear()
