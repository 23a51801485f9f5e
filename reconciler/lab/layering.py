"""Lays a host's prefix over the template in the cheapest way this machine allows, and takes it away again."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from reconciler.lab.errors import LabError

_MOUNT_SECONDS = 30
_DETACH_SECONDS = 10
_LOOK_AGAIN_SECONDS = 0.02


class Layering(StrEnum):
    """How a host shares the template's files, cheapest first."""

    OVERLAY = "overlay"
    """An overlay file system: 2 MB a host, and the template can't be changed through it. Needs root."""
    HARD_LINKS = "hard-links"
    """Links to the same files, with the registry copied. A program that rewrites one of Windows' own files
    in place changes it for every host; installers write new files, so they do not."""
    COPY = "copy"
    """A full copy, about 700 MB a host."""


def lay(template: Path, directory: Path, ways: Sequence[Layering] = tuple(Layering)) -> Layering:
    """Make ``directory/prefix`` out of the template.

    Args:
        template: the template prefix; it must not be running.
        directory: the host's own folder, which has no prefix yet.
        ways: the ways to try, in this order.

    Returns:
        The way that worked.

    Raises:
        LabError: none did.
    """
    prefix = directory / "prefix"
    reasons = []
    for way in ways:
        try:
            match way:
                case Layering.OVERLAY:
                    attach(template, directory)
                case Layering.HARD_LINKS:
                    shutil.copytree(template, prefix, symlinks=True, copy_function=_link_or_copy)
                case Layering.COPY:
                    shutil.copytree(template, prefix, symlinks=True)
        except (OSError, shutil.Error, LabError) as error:
            reasons.append(f"{way}: {error}")
            _clear(directory)
        else:
            return way
    raise LabError(
        "the host's file system could not be made: " + "; ".join(reasons),
        where=str(directory),
        hint="check that the folder is on a local disk with 1 GB free",
    )


def attach(template: Path, directory: Path) -> None:
    """Mount the overlay of ``directory`` where it is not mounted, as after a restart of this machine.

    Raises:
        LabError: it could not be mounted.
    """
    prefix, upper, work = directory / "prefix", directory / "upper", directory / "work"
    if os.path.ismount(prefix):
        return
    for folder in (prefix, upper, work):
        folder.mkdir(parents=True, exist_ok=True)
    layers = {"lowerdir": template, "upperdir": upper, "workdir": work}
    options = ",".join(f"{name}={_escaped(path)}" for name, path in layers.items())
    _run(["mount", "-t", "overlay", "reconciler-lab", "-o", options, str(prefix)])


def detach(directory: Path) -> None:
    """Unmount the overlay of ``directory``, if one is mounted there.

    Raises:
        LabError: it is still in use.
    """
    prefix = directory / "prefix"
    deadline = time.monotonic() + _DETACH_SECONDS
    while os.path.ismount(prefix):
        try:
            _run(["umount", str(prefix)])
        except LabError:
            # A process that is ending holds its folder a moment longer than it can be seen.
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_AGAIN_SECONDS)


def _escaped(path: Path) -> str:
    text = str(path)
    for mark in ("\\", ":", ","):
        text = text.replace(mark, "\\" + mark)
    return text


def _link_or_copy(source: str, target: str) -> None:
    # Wine writes the registry by renaming, but a copy keeps the template safe whatever Wine does.
    if source.endswith(".reg"):
        shutil.copy2(source, target)
    else:
        os.link(source, target, follow_symlinks=False)


def _clear(directory: Path) -> None:
    detach(directory)
    for name in ("prefix", "upper", "work"):
        shutil.rmtree(directory / name, ignore_errors=True)


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_MOUNT_SECONDS)
    except subprocess.CalledProcessError as error:
        raise LabError(f"{command[0]} failed: {error.stderr.strip()}", where=command[-1]) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabError(f"{command[0]} failed: {error}", where=command[-1]) from error
