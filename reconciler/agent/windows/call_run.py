"""The child process of a run that is none of Windows Installer's: a command, settings, services. Decides nothing.

It claims the run, does what its ``call.json`` says, and writes the result; it outlives the agent. The runs of
Windows Installer have a child of their own (`reconciler.agent.windows.installer_run`), which starts faster.
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import json
from functools import partial
from pathlib import Path

from reconciler.agent.run_folder import CALL_NAME, LOG_NAME, claim_run, write_result
from reconciler.agent.windows.command_line import run_command
from reconciler.agent.windows.jobs import join_job
from reconciler.agent.windows.process_list import end_by_image
from reconciler.agent.windows.processes import own_claim, own_run_job
from reconciler.agent.windows.service_control import (
    NO_SUCH_SERVICE,
    StopFailed,
    service_state,
    start_service,
    stop_service,
)
from reconciler.agent.windows.settings_run import SERVICE_SECONDS, configure, do_all
from reconciler.kernel.calls import STOPPED, Call, CallKind
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.wire import decode

_CALL_FAILED = 1726  # RPC_S_CALL_FAILED: Windows' own words for a call that was not carried out


def main(arguments: list[str]) -> None:
    """Carry out the run.

    Args:
        arguments: the run's folder.
    """
    (folder,) = arguments
    if not claim_run(folder, own_claim()):
        return  # the agent was restarted before this process began, and has seen to it otherwise
    join_job(own_run_job())
    try:
        call = decode(Call, json.loads((Path(folder) / CALL_NAME).read_text("utf-8")))
        code, message = _carry_out(call, Path(folder) / LOG_NAME)
    except (OSError, ValueError, ReconcilerError) as error:
        code, message = getattr(error, "winerror", None) or _CALL_FAILED, str(error)
    write_result(folder, code, message)


def _carry_out(call: Call, log: Path) -> tuple[int, str]:
    match call.kind:
        case CallKind.COMMAND:
            # The agent ends the run at its time; twice that is for an agent that is away then.
            code, message = run_command(call.subject, 2 * call.seconds, log)
            return (_CALL_FAILED, "it did not end in time") if code is None else (code, message)
        case CallKind.CONFIGURE:
            return configure(call)
        case CallKind.STOP:
            return _stop(call)
        case CallKind.START:
            return do_all([(f"service {name}", partial(_start, name)) for name in call.services])
        case _:
            raise ValueError(f"{call.kind} is for Windows Installer")


def _stop(call: Call) -> tuple[int, str]:
    """Stop services and end processes; the words name the services that ran, whether or not all have stopped."""
    stopped: list[str] = []
    code, trouble = 0, ""
    for name in call.services:
        try:
            stopped += (each for each in stop_service(name, SERVICE_SECONDS) if each not in stopped)
        except StopFailed as error:
            stopped += (each for each in error.stopped if each not in stopped)
            code, trouble = error.winerror or _CALL_FAILED, f"the service {error.service}: {error.strerror}"
            break
        except OSError as error:
            if error.winerror != NO_SUCH_SERVICE:  # one that a later release brings is not there yet
                code, trouble = error.winerror or _CALL_FAILED, f"the service {name}: {error.strerror}"
                break
    if not code:
        code, trouble = do_all([(image, partial(end_by_image, image)) for image in call.processes])
    told = STOPPED + "; ".join(stopped)
    return code, f"{told}\n{trouble}" if trouble else told


def _start(name: str) -> None:
    """Start a service, but none that is disabled or has gone with its product."""
    try:
        state, mode = service_state(name)
    except OSError as error:
        if error.winerror == NO_SUCH_SERVICE:
            return
        raise
    if state != "running" and mode != "disabled":
        start_service(name, SERVICE_SECONDS)
