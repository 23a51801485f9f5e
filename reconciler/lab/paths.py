"""Finds the Unix path of a Windows path in a prefix; reads names as Windows does, whatever their case."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath

from reconciler.lab.errors import LabError


def unix_path(drive_c: Path, windows_path: str) -> Path:
    r"""Return where ``windows_path`` lies, whether it exists or not.

    Args:
        drive_c: the folder that is drive C.
        windows_path: a full path on drive C, such as ``C:\ProgramData\x``.

    Raises:
        LabError: it is not a full path on drive C, or leads out of it.
    """
    path = PureWindowsPath(windows_path)
    if path.drive.upper() != "C:" or not path.root or ".." in path.parts:
        raise LabError(f"{windows_path!r} is not a full path on drive C", hint=r"write it as C:\folder\file")
    found = drive_c
    for name in path.parts[1:]:
        found = _entry(found, name)
    return found


def _entry(folder: Path, name: str) -> Path:
    exact = folder / name
    if exact.exists() or not folder.is_dir():
        return exact
    wanted = name.casefold()
    return next((entry for entry in folder.iterdir() if entry.name.casefold() == wanted), exact)
