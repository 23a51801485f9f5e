"""Builds the Wine prefix that every lab host is laid over: once, in the cache, never run afterwards.

This file is the recipe: any change to it makes another template.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from reconciler.lab.errors import LabUnavailable
from reconciler.lab.prefix import BOOT_SECONDS, WinePrefix
from reconciler.lab.requirements import APT_COMMAND, require
from reconciler.packaging.cache import build_once, cache_folder
from reconciler.packaging.errors import PackagingUnavailable
from reconciler.packaging.windows_python import SDIST_SHA256, windows_python

LAB_PROGRAM = r"C:\Program Files\Reconciler Lab"
"""Not where the agent's MSI installs, so that one can be tried on a lab host."""
PYTHON = LAB_PROGRAM + r"\python\python.exe"
TRAMPOLINE = r"C:\ProgramData\Reconciler Lab\trampoline.py"

_PYTHON_FOLDER = Path("Program Files", "Reconciler Lab", "python")
_TRAMPOLINE_FILE = Path("ProgramData", "Reconciler Lab", "trampoline.py")
_PYTHON_PATH = "python313.zip\n.\n..\\lib\n"
"""Where this Python looks for modules; the last is where the agent's code is put."""

_SERVICES = r"HKLM\System\CurrentControlSet\Services"
_DISABLED_SERVICES = ("PlugPlay", "NDIS", "Eventlog")
"""Services of Wine's that a host without devices, a driver stack or a desktop can do without."""

_CONTROL = r"HKLM\System\CurrentControlSet\Control"
_SERVICE_MILLISECONDS = 120_000
"""How long Wine waits for a service to start. Its 10 s are too short on a busy machine: boots and installs fail.

Source: Microsoft Learn, "A service does not start, and events 7000 and 7011 are logged"
"""

_REGISTRY_SECONDS = 60


def template() -> Path:
    """Return the template prefix, built if this machine has none of this recipe and Wine yet (about 10 s).

    Raises:
        LabUnavailable: Wine is missing or too broken to say its version, or Python can't be downloaded.
        LabError: the prefix could not be made.
    """
    require()
    try:
        python = windows_python()
    except PackagingUnavailable as error:
        raise LabUnavailable(error.what, where=error.where, hint=error.hint) from error
    trampoline = Path(__file__).with_name("trampoline.py")
    ingredients = (_wine_version(), SDIST_SHA256, Path(__file__).read_text("utf-8"), trampoline.read_text("utf-8"))
    digest = hashlib.sha256("\0".join(ingredients).encode()).hexdigest()[:16]
    return build_once(
        cache_folder() / f"wine-template-{digest}", lambda target: _build(target, python, trampoline)
    )


def _wine_version() -> str:
    try:
        result = subprocess.run(
            ["wine", "--version"], check=True, capture_output=True, text=True, timeout=_REGISTRY_SECONDS
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise LabUnavailable(f"wine does not start: {error}", hint=f"as root: {APT_COMMAND}") from error
    return result.stdout.strip()


def _build(target: Path, python: Path, trampoline: Path) -> None:
    prefix = WinePrefix(target, "template")
    try:
        prefix.quietly(["wine", "wineboot", "-i"], BOOT_SECONDS)
        prefix.quietly(["wine", "winecfg", "-v", "win10"], _REGISTRY_SECONDS)
        waits = ["/v", "ServicesPipeTimeout", "/t", "REG_SZ", "/d", str(_SERVICE_MILLISECONDS), "/f"]
        prefix.quietly(["wine", "reg", "add", _CONTROL, *waits], _REGISTRY_SECONDS)
        for service in _DISABLED_SERVICES:
            key = rf"{_SERVICES}\{service}"
            disabled = ["/v", "Start", "/t", "REG_DWORD", "/d", "4", "/f"]
            prefix.quietly(["wine", "reg", "add", key, *disabled], _REGISTRY_SECONDS)
        prefix.switch_off()
    finally:
        prefix.cut_power()
        prefix.forget_server_folder()
    _close_off(target)
    _add_python(prefix.drive_c, python)
    (prefix.drive_c / _TRAMPOLINE_FILE).parent.mkdir(parents=True)
    shutil.copyfile(trampoline, prefix.drive_c / _TRAMPOLINE_FILE)


def _close_off(target: Path) -> None:
    """Cut the ways from Windows to this machine's files: the user's folders and every drive but C."""
    for entry in (target / "drive_c" / "users").glob("*/*"):
        if entry.is_symlink():
            entry.unlink()
            entry.mkdir()
    for drive in (target / "dosdevices").iterdir():
        if drive.name != "c:":
            drive.unlink()
    (target / "wineserver").unlink(missing_ok=True)  # names a folder of sockets: each host gets its own


def _add_python(drive_c: Path, python: Path) -> None:
    shutil.copytree(python, drive_c / _PYTHON_FOLDER)
    (drive_c / _PYTHON_FOLDER / "python313._pth").write_text(_PYTHON_PATH, encoding="ascii")
