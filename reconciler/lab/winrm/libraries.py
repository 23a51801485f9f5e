"""Obtains the libraries that the endpoint needs on the Windows Python; takes no other than those pinned by hash."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from pathlib import Path

from reconciler.lab.cache import build_once, cache_folder
from reconciler.lab.pypi import download

_REQUIREMENTS = Path(__file__).with_name("requirements.txt")
_FOR_WINDOWS = ("--only-binary", ":all:", "--platform", "win_amd64", "--python-version", "3.13")


def libraries() -> Path:
    """Return a folder of packages for the Windows Python, from the cache or from PyPI.

    Raises:
        LabUnavailable: they could not be downloaded, or what came has another hash.
    """
    digest = hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()[:16]
    return build_once(cache_folder() / f"winrm-libraries-{digest}", _download_and_unpack)


def _download_and_unpack(target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="reconciler-wheels-") as scratch:
        download(_REQUIREMENTS, Path(scratch), _FOR_WINDOWS)
        for wheel in sorted(Path(scratch).glob("*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(target)  # noqa: S202 - of known hash
