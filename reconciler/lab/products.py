"""Reads what a lab host has registered as installed, by another way than the agent: from the Uninstall keys."""

from __future__ import annotations

import json

from reconciler.lab.errors import LabError
from reconciler.lab.host import LabHost
from reconciler.lab.template import PYTHON

_SCRIPT = r"""
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
    done = host.run([PYTHON, "-c", _SCRIPT])
    if done.exit_code != 0:
        raise LabError(f"its Uninstall keys cannot be read: {done.stderr.strip()[-200:]}", where=host.name)
    found: dict[str, str] = json.loads(done.stdout)
    return found
