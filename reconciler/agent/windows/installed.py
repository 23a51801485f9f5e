"""The commands of an installed agent, as its MSI and the service manager call them. Their data folder is fixed."""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import reconciler
from reconciler.agent.agent_log import open_log
from reconciler.agent.entry import BAD_START, complain
from reconciler.agent.placing import configure, parse_properties, read_site, remove_data
from reconciler.agent.settings import SETTINGS_NAME, forget_token
from reconciler.agent.windows.data_folder import protect_folder
from reconciler.agent.windows.self_upgrade import upgrade_goes_on
from reconciler.agent.windows.service import serve
from reconciler.kernel.errors import ReconcilerError

_SITE = Path(reconciler.__file__).parent.parent.with_name("site.json")
"""Beside the archive that this module was loaded from."""

_COMMON_APPDATA = 0x23
_LONGEST_PATH = 260
_log = logging.getLogger("reconciler.agent")


def data_folder() -> Path:
    """Return where an installed agent keeps its data.

    Windows is asked, and not the environment, which a service may have another one of.

    Source: learn.microsoft.com/windows/win32/api/shlobj_core/nf-shlobj_core-shgetfolderpathw
    """
    path = ctypes.create_unicode_buffer(_LONGEST_PATH)
    ctypes.WinDLL("shell32").SHGetFolderPathW(None, _COMMON_APPDATA, None, 0, path)
    return Path(path.value or r"C:\ProgramData", "Reconciler Agent")


def _configure(words: Sequence[str]) -> int:
    data = data_folder()
    try:
        protect_folder(data)
        open_log(data)
        configure(data, read_site(_SITE), parse_properties(list(words)), socket.gethostname().partition(".")[0])
    except (ReconcilerError, OSError) as error:
        complain(f"the agent cannot be installed: {error}")
        return BAD_START
    return 0


def _serve(_words: Sequence[str]) -> int:
    return serve(data_folder())


def _forget_token(_words: Sequence[str]) -> int:
    """An install that failed leaves no token behind."""
    data = data_folder()
    if (data / SETTINGS_NAME).is_file():
        forget_token(data)
    return 0


def _remove_data(_words: Sequence[str]) -> int:
    """An uninstall leaves the logs only; one that is a part of the agent's own upgrade leaves all there is.

    Windows Installer tells upgrades by UPGRADINGPRODUCTCODE and then never comes here, but not every
    implementation of it does.
    """
    data = data_folder()
    open_log(data)
    if upgrade_goes_on(data):
        _log.info("the agent is being upgraded; its data stays")
    else:
        _log.info("the agent is uninstalled; all but its logs is deleted")
        remove_data(data)
    return 0


INSTALLED_COMMANDS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "configure": _configure,
    "forget-token": _forget_token,
    "remove-data": _remove_data,
    "service": _serve,
}
