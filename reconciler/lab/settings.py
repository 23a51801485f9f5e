"""Reads what settings a lab host has, by other ways than the agent: files from outside, values by a script."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from reconciler.kernel.configuration import PlacedFile, RegistryValue, Setting
from reconciler.kernel.probes import ABSENT
from reconciler.lab.errors import LabError
from reconciler.lab.host import LabHost
from reconciler.lab.template import PYTHON

_READ = r"""
import json, sys, winreg
TYPES = ("REG_SZ", "REG_EXPAND_SZ", "REG_MULTI_SZ", "REG_DWORD", "REG_QWORD")
NAMES = {getattr(winreg, name): name for name in TYPES}
found = []
for key, name in json.loads(sys.argv[1]):
    view = winreg.KEY_READ | winreg.KEY_WOW64_64KEY
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key.partition("\\")[2], 0, view) as opened:
            data, kind = winreg.QueryValueEx(opened, name)
    except FileNotFoundError:
        found.append(None)
    else:
        found.append(f"{NAMES.get(kind)}:" + ("\n".join(data) if isinstance(data, list) else str(data)))
print(json.dumps(found))
"""


def settings_seen(host: LabHost, settings: Iterable[Setting]) -> dict[str, str]:
    """Return what a host has of registry values and files, by the keys of their probes, as its agent would answer.

    Services are left out.

    Args:
        host: a host that runs.
        settings: what to look for.

    Raises:
        LabError: the registry could not be read.
    """
    answers: dict[str, str] = {}
    values = []
    for setting in settings:
        match setting:
            case PlacedFile():
                file = host.unix_path(setting.path)
                there = file.is_file()
                answers[setting.probe.key] = hashlib.sha256(file.read_bytes()).hexdigest() if there else ABSENT
            case RegistryValue():
                values.append(setting)
    done = host.run([PYTHON, "-c", _READ, json.dumps([(value.key, value.name) for value in values])])
    if done.exit_code != 0:
        raise LabError(f"its settings cannot be told: {done.stderr.strip()[-200:]}", where=host.name)
    for value, found in zip(values, json.loads(done.stdout), strict=True):
        answers[value.probe.key] = ABSENT if found is None else found
    return answers
