"""What a simulated Windows machine needs to know of a file: read from a real MSI, or from a stand-in for one.

A stand-in is a small JSON file that says so; it exists for machines where no MSI can be built, and for patches and
programs, which cannot be built here at all.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from reconciler.kernel.identity import InvalidIdentity, normalise_guid, three_fields
from reconciler.kernel.probes import Answer
from reconciler.kernel.wire import WireError, decode, encode

_MSI_MAGIC = b"\xd0\xcf\x11\xe0"
_MSI = "simulated-msi"
_MSP = "simulated-msp"
_EXE = "simulated-exe"

T = TypeVar("T")


class NotAPackage(Exception):
    """The file is not what it should be, nor a stand-in for it."""


@dataclass(frozen=True, slots=True)
class SimulatedPackage:
    """What tells a package apart. ``refuses`` is the text of a launch condition that never holds, or empty."""

    product_code: str
    package_code: str
    upgrade_code: str | None
    version: str
    name: str
    refuses: str = ""


@dataclass(frozen=True, slots=True)
class SimulatedPatch:
    """What tells a patch apart: its code, the product codes it is for, and whether it can be taken off again."""

    patch_code: str
    targets: tuple[str, ...]
    removable: bool = True


@dataclass(frozen=True, slots=True)
class SimulatedProgram:
    """A program's installer: its exit code, and what the machine answers to probes once it has run."""

    answers: tuple[Answer, ...] = ()
    exit_code: int = 0


def write_simulated_msi(package: SimulatedPackage) -> bytes:
    """Return the content of a stand-in for an MSI."""
    return _write(_MSI, package)


def write_simulated_msp(patch: SimulatedPatch) -> bytes:
    """Return the content of a stand-in for a patch."""
    return _write(_MSP, patch)


def write_simulated_exe(program: SimulatedProgram) -> bytes:
    """Return the content of a stand-in for a program's installer."""
    return _write(_EXE, program)


def read_package(file: Path) -> SimulatedPackage:
    """Read a package from its file: what the file says counts, not what anybody says of it.

    Raises:
        OSError: the file cannot be read.
        NotAPackage: it is neither an MSI nor a stand-in for one.
    """
    content = file.read_bytes()
    if content.startswith(_MSI_MAGIC):
        return _read_msi(file)
    package = _read(content, _MSI, SimulatedPackage)
    try:
        normalise_guid(package.product_code)
        three_fields(package.version)
    except InvalidIdentity as error:
        raise NotAPackage(str(file)) from error
    return package


def read_patch(file: Path) -> SimulatedPatch:
    """Read the stand-in for a patch.

    Raises:
        OSError: the file cannot be read.
        NotAPackage: it is no stand-in for a patch.
    """
    return _read(file.read_bytes(), _MSP, SimulatedPatch)


def read_program(file: Path) -> SimulatedProgram:
    """Read the stand-in for a program's installer.

    Raises:
        OSError: the file cannot be read.
        NotAPackage: it is no stand-in for one.
    """
    return _read(file.read_bytes(), _EXE, SimulatedProgram)


def _write(form: str, value: object) -> bytes:
    return (json.dumps({"format": form, **encode(value)}, indent=2) + "\n").encode("utf-8")


def _read(content: bytes, form: str, kind: type[T]) -> T:
    try:
        data = json.loads(content)
        if not isinstance(data, dict) or data.get("format") != form:
            raise NotAPackage(form)
        return decode(kind, data)
    except (ValueError, WireError) as error:
        raise NotAPackage(form) from error


def _read_msi(file: Path) -> SimulatedPackage:
    from reconciler.artifacts.msi_file import UnreadableMsi, read_msi

    try:
        identity = read_msi(file)
    except UnreadableMsi as error:
        raise NotAPackage(str(file)) from error
    return SimulatedPackage(
        identity.product_code,
        identity.package_code,
        identity.upgrade_code,
        identity.version,
        identity.product_name,
    )
