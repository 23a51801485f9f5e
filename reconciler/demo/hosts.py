"""The hosts of the demonstration: lab hosts, or simulated ones where there can be no lab.

Looks at a host by another way than its agent does, so that what is shown does not rest on the agent's word.
"""

from __future__ import annotations

import json
from typing import Protocol

from reconciler.lab import Lab, LabHost
from reconciler.lab.template import PYTHON
from reconciler.operations.lab import lab_of, lab_up
from reconciler.site import Site

POLL_SECONDS = 1.0
"""Seconds between the check-ins of the demonstration's agents."""

Installed = dict[str, str]
"""Versions by product code."""

_LIST_PRODUCTS = r"""
import json, winreg
found = {}
key = winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall", 0,
                     winreg.KEY_READ | winreg.KEY_WOW64_64KEY)
for index in range(winreg.QueryInfoKey(key)[0]):
    name = winreg.EnumKey(key, index)
    try:
        found[name] = winreg.QueryValueEx(winreg.OpenKey(key, name), "DisplayVersion")[0]
    except OSError:
        pass
print(json.dumps(found))
"""


class DemoHosts(Protocol):
    """The hosts, all of them."""

    kind: str
    """What they are, in a word."""

    def start(self, site: Site) -> None:
        """Start every host of the desired state in force, with an agent that enrols."""

    def installed(self, host: str) -> Installed:
        """Look at a host."""

    def remove_by_hand(self, host: str, product_code: str) -> None:
        """Remove a product as somebody with a mouse would, behind the agent's back."""

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
        done = self._host(host).run([PYTHON, "-c", _LIST_PRODUCTS])
        found: Installed = json.loads(done.stdout)
        return found

    def remove_by_hand(self, host: str, product_code: str) -> None:
        """Run msiexec on the host."""
        self._host(host).run(f"msiexec /x {product_code} /qn")

    def stop(self) -> None:
        """End and remove every host."""
        if self._lab is not None:
            self._lab.down()

    def _host(self, name: str) -> LabHost:
        assert self._lab is not None, "start comes first"
        return self._lab.host(name)
