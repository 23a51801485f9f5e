"""The child process of one installer run: claims it, calls Windows Installer through msi.dll, writes the result.

It outlives the agent. It decides nothing, and imports as little as it can: its start-up is part of every install.
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes

from reconciler.agent.run_folder import LOG_NAME, claim_run, write_result
from reconciler.agent.windows.msi import UiHandler, dll
from reconciler.agent.windows.processes import own_claim

REMOVE = "remove"

_UI_NONE = 2
_LOG_EVERYTHING_BUT_DEBUG = 0x1FDF  # what /L*V asks for
_ERROR_MESSAGES = 0x1 | 0x2 | 0x80  # fatal exits, errors, out of disk space
_ERROR_KINDS = (0x00, 0x01, 0x07)
_LEVEL_DEFAULT = 0
_STATE_ABSENT = 2
_INSTALL_FAILURE = 1603


def main(arguments: list[str]) -> None:
    """Carry out the run.

    Args:
        arguments: the run's folder, and of its call the kind, subject, properties and product code.
    """
    folder, verb, subject, properties, _product_code = arguments
    if not claim_run(folder, own_claim()):
        return  # the agent was restarted before this process began, and has seen to it otherwise
    errors: list[str] = []

    def heard(_context: int | None, kind: int, message: str | None) -> int:
        if message and kind >> 24 in _ERROR_KINDS:
            errors.append(message.strip())
        return 0

    handler = UiHandler(heard)
    dll.MsiSetInternalUI(_UI_NONE, None)
    dll.MsiSetExternalUIW(handler, _ERROR_MESSAGES, None)
    dll.MsiEnableLogW(_LOG_EVERYTHING_BUT_DEBUG, rf"{folder}\{LOG_NAME}", 0)
    if verb == REMOVE:
        code = dll.MsiConfigureProductExW(subject, _LEVEL_DEFAULT, _STATE_ABSENT, properties)
    else:
        code = dll.MsiInstallProductW(subject, properties)
    message = next(iter(errors), "")
    if code == _INSTALL_FAILURE and verb != REMOVE and not message:
        from reconciler.agent.windows.launch_conditions import unmet_conditions

        message = "; ".join(unmet_conditions(subject, properties))
    write_result(folder, ctypes.c_int(code).value, message)
