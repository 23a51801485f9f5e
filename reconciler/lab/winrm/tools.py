"""Puts the stand-ins on a lab host as programs of System32; what they do is told in their own files."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

from reconciler.lab.template import PYTHON
from reconciler.lab.winrm.libraries import launcher

NAMES = ("certutil", "curl", "icacls", "net", "netstat", "powershell", "sc", "schtasks", "taskkill", "wevtutil")

_FOLDERS = {"powershell": Path("WindowsPowerShell", "v1.0")}
"""Where in System32 a program lies that does not lie in it itself."""

_ROOT = Path(__file__).parents[2]
_STAND_INS = Path("lab", "winrm", "stand_ins")
_SHARED = ("file_versions.py", "windows_processes.py", "windows_services.py")

_MODULES = {"powershell": (Path("agent", "windows", "wintrust.py"), Path("kernel", "signatures.py"))}
"""What a stand-in takes from the agent, which asks Windows the same."""


def install_tools(drive_c: Path) -> None:
    """Write the stand-ins but that for `reg` into System32 of the host's drive C, in place of what Wine has there.

    Raises:
        LabUnavailable: the program that starts them could not be downloaded.
    """
    for name in NAMES:
        _install(drive_c, name)


def install_reg(drive_c: Path) -> None:
    """Write the stand-in for `reg` too, which makes every look at the host slow.

    Raises:
        LabUnavailable: the program that starts it could not be downloaded.
    """
    system = drive_c / "windows" / "system32"
    if not (system / "wine-reg.exe").exists():
        shutil.copyfile(system / "reg.exe", system / "wine-reg.exe")
    _install(drive_c, "reg")


def _install(drive_c: Path, name: str) -> None:
    start = launcher() + f'#!"{PYTHON}" -I\r\n'.encode()
    target = drive_c / "windows" / "system32" / _FOLDERS.get(name, Path()) / f"{name}.exe"
    target.unlink(missing_ok=True)  # never written in place: the file may be the template's too
    target.write_bytes(start + _archive(name))


def _archive(name: str) -> bytes:
    packed = io.BytesIO()
    modules = (*(_STAND_INS / shared for shared in _SHARED), *_MODULES.get(name, ()))
    packages = {package for module in modules for package in module.parents}
    with zipfile.ZipFile(packed, "w") as archive:
        for package in sorted(packages):
            archive.writestr(Path(_ROOT.name, package, "__init__.py").as_posix(), "")
        for module in modules:
            archive.write(_ROOT / module, Path(_ROOT.name, module).as_posix())
        archive.write(_ROOT / _STAND_INS / f"{name}.py", "__main__.py")
    return packed.getvalue()
