"""Obtains what the endpoint needs on the Windows Python; takes nothing that is not pinned by hash."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
from pathlib import Path

from reconciler.lab import commands
from reconciler.lab.errors import LabError, LabUnavailable
from reconciler.lab.prefix import WinePrefix
from reconciler.lab.template import PYTHON
from reconciler.packaging.cache import build_once, cache_folder
from reconciler.packaging.errors import PackagingUnavailable
from reconciler.packaging.pypi import download

_REQUIREMENTS = Path(__file__).with_name("requirements.txt")
_FOR_WINDOWS = ("--only-binary", ":all:", "--platform", "win_amd64", "--python-version", "3.13")
_NEEDED = ("spnego", "sspilib", "cryptography", "_cffi_backend.cp313-win_amd64.pyd")
_LAUNCHER = Path("distlib", "t64.exe")
_COMPILE_SECONDS = 120


def downloaded() -> Path:
    """Return a folder with all that ``requirements.txt`` names, from the cache or from PyPI.

    Raises:
        LabUnavailable: it could not be downloaded, or what came has another hash.
    """
    return build_once(cache_folder() / f"winrm-wheels-{_digest()}", _download_and_unpack)


def launcher() -> bytes:
    """Return a Windows program that hands the archive at its own end to the Python that a ``#!`` line names.

    Raises:
        LabUnavailable: it could not be downloaded.
    """
    return (downloaded() / _LAUNCHER).read_bytes()


def libraries(prefix: WinePrefix) -> Path:
    """Return a folder of packages for the endpoint, compiled, from the cache.

    Args:
        prefix: a prefix that is on, whose Python compiles them where nobody has done so yet.

    Raises:
        LabUnavailable: they could not be downloaded.
        LabError: they could not be compiled.
    """
    target = cache_folder() / f"winrm-libraries-{_digest()}"
    return build_once(target, lambda folder: _compile(prefix, downloaded(), folder))


def _digest() -> str:
    return hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()[:16]


def _download_and_unpack(target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="reconciler-wheels-") as scratch:
        try:
            download(_REQUIREMENTS, Path(scratch), _FOR_WINDOWS)
        except PackagingUnavailable as error:
            raise LabUnavailable(error.what, where=error.where, hint=error.hint) from error
        for wheel in sorted(Path(scratch).glob("*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(target)


def _compile(prefix: WinePrefix, source: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="compile-", dir=prefix.drive_c) as scratch:
        folder = Path(scratch)
        for name in _NEEDED:
            if (source / name).is_dir():
                shutil.copytree(source / name, folder / name)
            else:
                shutil.copyfile(source / name, folder / name)
        done = commands.run(prefix, [PYTHON, "-m", "compileall", "-q", rf"C:\{folder.name}"], _COMPILE_SECONDS)
        if done.exit_code != 0:
            raise LabError(f"the endpoint's libraries cannot be compiled: {done.stdout.strip()[-600:]}")
        shutil.copytree(folder, target, dirs_exist_ok=True)
