"""Reads and removes what a lab host has installed by other ways than the agent: the Uninstall keys and msiexec."""

from __future__ import annotations

import json

from reconciler.lab.errors import LabError
from reconciler.lab.host import LabHost
from reconciler.lab.template import PYTHON

_REMOVE = r"""
import subprocess, sys
subprocess.run(["msiexec", "/x", sys.argv[1], "/qn"], check=True)
"""

_LIST = r"""
import json, winreg
found = {}
for view in (winreg.KEY_WOW64_64KEY, winreg.KEY_WOW64_32KEY):
    path = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall"
    try:
        key = winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path, 0, winreg.KEY_READ | view)
    except FileNotFoundError:
        continue
    for index in range(winreg.QueryInfoKey(key)[0]):
        name = winreg.EnumKey(key, index)
        try:
            found[name] = winreg.QueryValueEx(winreg.OpenKey(key, name), "DisplayVersion")[0]
        except FileNotFoundError:
            pass
print(json.dumps(found))
"""


def registered_products(host: LabHost) -> dict[str, str]:
    """Return the versions of what is installed per machine, by product code.

    Args:
        host: a host that runs.

    Raises:
        LabError: the keys could not be read.
    """
    return _ask(host, _LIST)


def remove_product(host: LabHost, product_code: str) -> dict[str, str]:
    """Remove a product by msiexec, and return what is installed per machine at that moment.

    Both are done by one program on the host, since an agent may put the product back a moment later.

    Args:
        host: a host that runs.
        product_code: the product's code.

    Raises:
        LabError: msiexec failed, or the keys could not be read.
    """
    return _ask(host, _REMOVE + _LIST, product_code)


def _ask(host: LabHost, script: str, *arguments: str) -> dict[str, str]:
    done = host.run([PYTHON, "-c", script, *arguments])
    if done.exit_code != 0:
        raise LabError(f"its products cannot be told: {done.stderr.strip()[-200:]}", where=host.name)
    found: dict[str, str] = json.loads(done.stdout)
    return found
