"""Downloads from PyPI what is pinned by hash, with this environment's pip or a passing one; installs nothing."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from reconciler.packaging.errors import PackagingUnavailable

_DOWNLOAD_SECONDS = 300


def download(requirements: Path, target: Path, options: Sequence[str]) -> None:
    """Put every distribution that ``requirements`` names into ``target``, without those they depend on.

    Args:
        requirements: a requirements file in which each line has a hash.
        target: a folder.
        options: more options of ``pip download``.

    Raises:
        PackagingUnavailable: something could not be downloaded, or what came has another hash.
    """
    with tempfile.TemporaryDirectory(prefix="reconciler-pip-") as scratch:
        _run(
            [
                *_pip(Path(scratch)),
                # No cache of pip's own: what comes of this is kept here, and a home may be read-only.
                *("download", "--quiet", "--no-cache-dir", "--no-deps", "--require-hashes", *options),
                *("--requirement", str(requirements), "--dest", str(target)),
            ]
        )


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
        raise PackagingUnavailable(
            f"what Windows hosts run could not be downloaded: {said.strip()[-600:]}",
            where="PyPI",
            hint="check that this machine reaches PyPI and that python3-venv is installed, then try again",
        ) from error
