"""Prepares a run of the installer that replaces the agent itself, and takes it up again after a reboot.

Such a run stops the service and replaces the Python that would carry it, so it works from copies: of this Python,
of this agent's code, and of the MSI that this agent was installed from, to go back to. All of them lie in the
run's own folder, in the protected data folder, and go with it.
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
import json
import shutil
import threading
import time
from ctypes import c_uint
from pathlib import Path

import reconciler
from reconciler.agent.durable import write_atomically
from reconciler.agent.machine import MachineError
from reconciler.agent.run_folder import CALL_NAME, read_claim, read_result
from reconciler.agent.sign_of_life import INSTANCE
from reconciler.agent.windows.apart import start_apart
from reconciler.agent.windows.msi import ERROR_SUCCESS, dll
from reconciler.agent.windows.processes import find_process
from reconciler.agent.windows.products import list_products
from reconciler.agent.windows.tables import property_of
from reconciler.kernel.agent_package import AGENT_UPGRADE_CODE
from reconciler.kernel.calls import Call, CallKind

_CODE = Path(reconciler.__file__).parent.parent
"""The archive or the folder that the agent's code was loaded from."""

_COPIES, _COMMAND = "upgrade", "command.json"
RESUMED = "resumed"
"""The last argument of a watch that begins after the installation."""

_LONGEST_START = 30.0
_LONGEST_INSTALLATION = 60.0
_LOOK_EVERY = 0.2
_LONGEST_PATH = 1024


def concerns_agent(call: Call) -> bool:
    """Return whether ``call`` would replace or remove the agent, whatever a catalog calls it."""
    if call.kind is CallKind.INSTALL:
        return property_of(Path(call.subject), "UpgradeCode").upper() == AGENT_UPGRADE_CODE
    return call.kind is CallKind.REMOVE and call.subject in _installed_agents()


def upgrade_command(folder: Path, call: Call) -> list[str]:
    """Put the copies in the run's folder, and return the command that carries out the run and watches over it.

    Args:
        folder: the run's folder.
        call: what is to be called, and concerns the agent.

    Raises:
        MachineError: the run would remove the agent, or the copies could not be made.
    """
    if call.kind is CallKind.REMOVE:
        raise MachineError(
            "the agent does not remove itself: nothing would be left to say how it went",
            hint="keep a version of it, and uninstall it by Windows when the host is given up",
        )
    home = folder / _COPIES
    try:
        _copy(Path(sys.executable).parent, home / "python")
        _copy(_CODE, home / _CODE.name)
        return _keep_command(folder, home, _copy_former(home))
    except OSError as error:
        raise MachineError(f"the agent's upgrade cannot be prepared: {error}", where=str(home)) from error


def _keep_command(folder: Path, home: Path, former: str) -> list[str]:
    """Return the command, written down for `resume_upgrade`."""
    child = (
        f"import sys; sys.path.insert(0, {str(home / _CODE.name)!r}); "
        "from reconciler.agent.windows.upgrade_run import main; main(sys.argv[1:])"
    )
    arguments = [str(folder), former, INSTANCE]
    command = [str(home / "python" / Path(sys.executable).name), "-I", "-S", "-c", child, *arguments]
    write_atomically(home / _COMMAND, json.dumps(command))
    return command


def upgrade_goes_on(data: Path) -> bool:
    """Return whether a run that replaces the agent is at work now.

    Args:
        data: the agent's data folder.
    """
    claims = (read_claim(str(copies.parent)) for copies in data.glob(f"runs/*/{_COPIES}"))
    return any(claim is not None and find_process(claim) is not None for claim in claims)


def resume_upgrade(data: Path, stopping: threading.Event) -> None:
    """Have somebody watch over this agent where it was installed by a run that a reboot cut off; and await that.

    The run is then one that goes on, as for an agent that was not restarted.

    Args:
        data: the agent's data folder.
        stopping: ends the waiting.

    Raises:
        OSError: the watch cannot be started.
    """
    for copies in data.glob(f"runs/*/{_COPIES}"):
        folder = str(copies.parent)
        claim = read_claim(folder)
        if claim is None or find_process(claim) is not None or read_result(folder) is not None:
            continue
        call = json.loads(Path(folder, CALL_NAME).read_text("utf-8"))
        if property_of(Path(call["subject"]), "ProductCode") not in _installed_agents():
            continue
        start_apart([*json.loads((copies / _COMMAND).read_text("utf-8")), RESUMED])
        deadline = time.monotonic() + _LONGEST_START
        while read_claim(folder) == claim and time.monotonic() < deadline:
            if stopping.wait(_LOOK_EVERY):
                return


def await_registration(stopping: threading.Event) -> None:
    """Wait for the installation that has started this agent to end: until then no agent is a product.

    An agent that looked earlier would find itself missing, and set about installing itself.

    Args:
        stopping: ends the waiting.
    """
    deadline = time.monotonic() + _LONGEST_INSTALLATION
    while _CODE.is_file() and not _installed_agents() and time.monotonic() < deadline:
        if stopping.wait(_LOOK_EVERY):
            return


def _installed_agents() -> list[str]:
    return [p.product_code for p in list_products() if p.upgrade_code == AGENT_UPGRADE_CODE]


def _copy(source: Path, target: Path) -> None:
    """Copy the content alone: permissions come from the protected folder that it is copied to."""
    if source.is_dir():
        shutil.copytree(source, target, copy_function=shutil.copyfile)
    else:
        shutil.copyfile(source, target)


def _copy_former(home: Path) -> str:
    """Copy the MSI of the agent that is installed, as Windows keeps it; return its path, empty where none is.

    Since version 5 Windows Installer keeps the whole MSI, with the files in it. It goes when the product does, so
    the copy is made first.
    """
    for code in _installed_agents():
        kept, name = _told(code, "LocalPackage"), _told(code, "PackageName")
        if kept:
            former = home / "former" / (name or "agent.msi")
            former.parent.mkdir()
            shutil.copyfile(kept, former)
            return str(former)
    return ""


def _told(code: str, name: str) -> str:
    value = ctypes.create_unicode_buffer(_LONGEST_PATH)
    length = c_uint(_LONGEST_PATH)
    error = dll.MsiGetProductInfoW(code, name, value, ctypes.byref(length))
    return value.value if error == ERROR_SUCCESS else ""
