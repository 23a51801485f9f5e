"""The run that replaces the agent: installs the new one, waits for it to reach the server, else goes back.

It works from copies, outlives both agents, and writes its result when it is over: whichever agent is left reads
it. It holds out against a crash of either agent; after a reboot a new agent that starts has it started again.
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import json
import time
from pathlib import Path

from reconciler.agent.run_folder import CALL_NAME, LOG_NAME, claim_run, take_over_run, write_result
from reconciler.agent.settings import load_settings
from reconciler.agent.sign_of_life import forget_sign_of_life, read_sign_of_life
from reconciler.agent.windows.installer_mutex import wait_for_installer
from reconciler.agent.windows.installer_run import INSTALL, call_installer
from reconciler.agent.windows.processes import own_claim
from reconciler.agent.windows.service_manager import start_service
from reconciler.agent.windows.tables import property_of
from reconciler.kernel.agent_package import PUT_BACK
from reconciler.kernel.errors import ReconcilerError

_SERVICE = "ReconcilerAgent"
_GOOD = (0, 3010, 1641)
_FAILURE = 1603
_ALREADY_RUNNING = 1618
_LONGEST_WAIT = 600.0
"""Seconds for which another installation is waited for."""

_POLLS, _AND_SECONDS = 10, 20.0
"""How long a new agent may take to reach the server: this many of its polls and this many seconds."""

_LONGEST_PATIENCE = 900.0

_LOOK_EVERY = 0.5
_PROPERTIES = "ALLUSERS=1 REBOOT=ReallySuppress"
_RESTORE_LOG = "restore.log"


def main(arguments: list[str]) -> None:
    """Carry out the run.

    Args:
        arguments: the run's folder, with its call in it; the MSI of the agent that is installed, or nothing; which
            agent process started this; whether the new agent is installed already, and to be watched over only.
    """
    folder, former, instance, *resumed = arguments
    data = Path(folder).parent.parent
    call = json.loads(Path(folder, CALL_NAME).read_text("utf-8"))
    patience = _patience(data)
    if resumed:
        take_over_run(folder, own_claim())
        code, message = 0, ""
    elif not claim_run(folder, own_claim()):
        return
    else:
        forget_sign_of_life(data)
        if not wait_for_installer(_LONGEST_WAIT):
            write_result(
                folder, _ALREADY_RUNNING, "another installation was at work all the time; nothing was run"
            )
            return
        code, message = call_installer(call, rf"{folder}\{LOG_NAME}")
    version = property_of(Path(call["subject"]), "ProductVersion")
    if code not in _GOOD:
        failed = message or f"the installer of the agent {version} returned {code}"
    elif _wait_for_sign(data, instance, patience):
        write_result(folder, code, message)
        return
    else:
        code, failed = _FAILURE, f"the agent {version} did not reach the server within {patience:.0f} s"
    write_result(folder, code, f"{failed}; {_go_back(folder, former)}")


def _patience(data: Path) -> float:
    try:
        return min(_AND_SECONDS + _POLLS * load_settings(data).poll_seconds, _LONGEST_PATIENCE)
    except ReconcilerError:
        return _AND_SECONDS


def _wait_for_sign(data: Path, instance: str, seconds: float) -> bool:
    """Wait until another agent process than ``instance`` says that it has reached the server."""
    deadline = time.monotonic() + seconds
    while read_sign_of_life(data) in ("", instance):
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_EVERY)  # a file of another process: nothing to await
    return True


def _go_back(folder: str, former: str) -> str:
    """Put the former agent back, which takes the new one away; return what came of it, in words."""
    if not former:
        start_service(_SERVICE)
        return "there is no former agent to put back"
    version = property_of(Path(former), "ProductVersion")
    call = {"kind": INSTALL, "subject": former, "properties": _PROPERTIES}
    code, message = call_installer(call, rf"{folder}\{_RESTORE_LOG}")
    start_service(_SERVICE)
    if code in _GOOD:
        return f"{version} {PUT_BACK}"
    return f"putting {version} back failed: {message or code}"
