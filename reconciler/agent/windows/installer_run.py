"""The child process of one installer run: claims it, calls Windows Installer through msi.dll, writes the result.

It outlives the agent. Before the call it waits while another installation is at work. It decides nothing, and
imports as little as it can: its start-up is part of every install.
"""

# ruff: noqa: E402, PTH123 - the platform is asserted before what only Windows has is imported; pathlib is slow

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
import json

from reconciler.agent.run_folder import CALL_NAME, LOG_NAME, claim_run, write_result
from reconciler.agent.windows import msi
from reconciler.agent.windows.installer_mutex import wait_for_installer
from reconciler.agent.windows.jobs import join_job
from reconciler.agent.windows.msi import UiHandler
from reconciler.agent.windows.processes import own_claim, own_run_job

INSTALL, REMOVE, PATCH, UNPATCH = "install", "remove", "patch", "unpatch"

_UI_NONE = 2
_LOG_EVERYTHING_BUT_DEBUG = 0x1FDF  # what /L*V asks for
_ERROR_MESSAGES = 0x1 | 0x2 | 0x80  # fatal exits, errors, out of disk space
_ERROR_KINDS = (0x00, 0x01, 0x07)
_LEVEL_DEFAULT = 0
_STATE_ABSENT = 2
_EVERY_TARGET = 0
_ONE_INSTANCE = 2
_INSTALL_FAILURE = 1603
_ALREADY_RUNNING = 1618
_LONGEST_WAIT = 600.0
"""Seconds for which another installation is waited for, but never more than half of the run's own time."""


def main(arguments: list[str]) -> None:
    """Carry out the run.

    Args:
        arguments: the run's folder, with its call in it.
    """
    (folder,) = arguments
    if not claim_run(folder, own_claim()):
        return  # the agent was restarted before this process began, and has seen to it otherwise
    join_job(own_run_job())
    with open(rf"{folder}\{CALL_NAME}", encoding="utf-8") as file:
        call = json.load(file)  # not by the kernel's wire format, which is slow to load
    seconds = min(_LONGEST_WAIT, call["seconds"] / 2 if "seconds" in call else _LONGEST_WAIT)
    if not wait_for_installer(seconds):
        write_result(
            folder, _ALREADY_RUNNING, f"another installation was at work for {seconds:.0f} s; nothing was run"
        )
        return
    write_result(folder, *call_installer(call, rf"{folder}\{LOG_NAME}"))


def call_installer(call: dict[str, str], log: str) -> tuple[int, str]:
    """Call Windows Installer, and return its exit code and the text of the first error it told of.

    Args:
        call: the call, as it stands in the run's folder.
        log: where it writes its log.
    """
    errors: list[str] = []

    def heard(_context: int | None, kind: int, message: str | None) -> int:
        if message and kind >> 24 in _ERROR_KINDS:
            errors.append(message.strip())
        return 0

    handler = UiHandler(heard)
    msi.dll.MsiSetInternalUI(_UI_NONE, None)
    msi.dll.MsiSetExternalUIW(handler, _ERROR_MESSAGES, None)
    msi.dll.MsiEnableLogW(_LOG_EVERYTHING_BUT_DEBUG, log, 0)
    kind, subject, properties = call["kind"], call["subject"], call.get("properties", "")
    code = _call_installer(kind, subject, properties, call.get("product_code", ""))
    message = next(iter(errors), "")
    if code == _INSTALL_FAILURE and kind == INSTALL and not message:
        from reconciler.agent.windows.launch_conditions import unmet_conditions

        message = "; ".join(unmet_conditions(subject, properties))
    return ctypes.c_int(code).value, message


def _call_installer(kind: str, subject: str, properties: str, product_code: str) -> int:
    """Call Windows Installer; return its exit code.

    Source: learn.microsoft.com/windows/win32/api/msi (MsiInstallProductW, MsiConfigureProductExW, MsiApplyPatchW,
    MsiRemovePatchesW)
    """
    code: int
    if kind == INSTALL:
        code = msi.dll.MsiInstallProductW(subject, properties)
    elif kind == REMOVE:
        code = msi.dll.MsiConfigureProductExW(subject, _LEVEL_DEFAULT, _STATE_ABSENT, properties)
    elif kind == PATCH:
        code = msi.dll.MsiApplyPatchW(subject, None, _EVERY_TARGET, properties)
    else:
        code = msi.dll.MsiRemovePatchesW(subject, product_code, _ONE_INSTANCE, properties)
    return code
