"""Puts the stand-ins on a lab host as programs of System32; what they do is told in their own files."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from reconciler.lab.template import PYTHON
from reconciler.lab.winrm.libraries import launcher

NAMES = ("certutil", "curl", "netstat", "powershell", "sc", "schtasks", "taskkill", "wevtutil")

_FOLDERS = {"powershell": Path("WindowsPowerShell", "v1.0")}
"""Where in System32 a program lies that does not lie in it itself."""

_STAND_INS = Path(__file__).with_name("stand_ins")
_PACKAGE = ("reconciler", "lab", "winrm", "stand_ins")
_SHARED = ("file_versions.py", "windows_processes.py", "windows_services.py")


def install_tools(drive_c: Path) -> None:
    """Write every stand-in into System32 of the host's drive C, in place of what Wine has there.

    Raises:
        LabUnavailable: the program that starts them could not be downloaded.
    """
    start = launcher() + f'#!"{PYTHON}" -I\r\n'.encode()
    for name in NAMES:
        target = drive_c / "windows" / "system32" / _FOLDERS.get(name, Path()) / f"{name}.exe"
        target.unlink(missing_ok=True)  # never written in place: the file may be the template's too
        target.write_bytes(start + _archive(name))


def _archive(name: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for depth in range(1, len(_PACKAGE) + 1):
            archive.writestr("/".join((*_PACKAGE[:depth], "__init__.py")), "")
        for shared in _SHARED:
            archive.write(_STAND_INS / shared, "/".join((*_PACKAGE, shared)))
        archive.write(_STAND_INS / f"{name}.py", "__main__.py")
    return packed.getvalue()
