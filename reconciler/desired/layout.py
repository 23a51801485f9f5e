"""Says what a file is by where it lies in a desired-state repository. Reads no file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from reconciler.desired.findings import Rule
from reconciler.desired.suggestions import closest

SETTINGS_FILE = "reconciler.yaml"
CATALOG_FOLDER = "catalog"
ENVIRONMENT_FILE = "environment.yaml"
HOSTS_FOLDER = "hosts"

NAME_PATTERN = r"^[a-z0-9]+(?:[._-][a-z0-9]+)*$"
"""Names of packages and environments: they stand in file names and URLs."""

NAME_HINT = "names have lower-case letters and digits, with single dots, hyphens or underscores between them"

HOST_PATTERN = r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?$"
"""Names of hosts: a computer name or a fully qualified one."""

HOST_HINT = "a host's file is named after it, such as PROD-01.yaml or web1.example.com.yaml"

_FILES = (
    "the files are reconciler.yaml, catalog/<package>.yaml, <environment>/environment.yaml and "
    "<environment>/hosts/<host>.yaml"
)
_NAME = re.compile(NAME_PATTERN)
_HOST = re.compile(HOST_PATTERN)
_DOCUMENTS = (".md", ".txt", ".rst")
_RESERVED = frozenset({CATALOG_FOLDER, HOSTS_FOLDER})


class FileKind(StrEnum):
    """The kinds of files in a desired-state repository."""

    SETTINGS = "reconciler"
    PACKAGE = "package"
    ENVIRONMENT = "environment"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class Place:
    """What a file is. ``name`` is the package's, environment's or host's; empty for the settings."""

    kind: FileKind
    name: str = ""
    environment: str = ""


@dataclass(frozen=True, slots=True)
class Misplaced:
    """Why a file may not stand where it does."""

    rule: Rule
    message: str
    hint: str


def place_of(parts: tuple[str, ...]) -> Place | Misplaced | None:
    """Return what a file is.

    Args:
        parts: its path below the root of the desired state, folder by folder.

    Returns:
        its place; what is wrong with it; or ``None`` for a file that is nobody's business here: documents, and
        whatever starts with a dot.
    """
    if any(part.startswith(".") for part in parts) or parts[-1].endswith(_DOCUMENTS) or "CODEOWNERS" in parts:
        return None
    match parts:
        case (name,) if name == SETTINGS_FILE:
            return Place(FileKind.SETTINGS)
        case (folder, name) if folder == CATALOG_FOLDER:
            return _named(FileKind.PACKAGE, name, "")
        case (environment, name) if name == ENVIRONMENT_FILE and environment not in _RESERVED:
            return _environment(environment)
        case (environment, folder, name) if folder == HOSTS_FOLDER and environment not in _RESERVED:
            return _named(FileKind.HOST, name, environment)
    return _misplaced(parts)


def _named(kind: FileKind, file_name: str, environment: str) -> Place | Misplaced:
    stem, dot, extension = file_name.rpartition(".")
    if f"{dot}{extension}" != ".yaml":
        hint = f"call it {stem or file_name}.yaml" if extension == "yml" or not dot else "move it elsewhere"
        message = f"{file_name} is no {kind} file: its name does not end in .yaml"
        return Misplaced(Rule.MISPLACED_FILE, message, hint)
    if kind is FileKind.HOST and not _HOST.fullmatch(stem):
        return Misplaced(Rule.INVALID_NAME, f"{stem!r} is not a host name", HOST_HINT)
    if kind is FileKind.PACKAGE and not _NAME.fullmatch(stem):
        return Misplaced(Rule.INVALID_NAME, f"{stem!r} is not a package name", NAME_HINT)
    return Place(kind, stem, environment)


def _environment(name: str) -> Place | Misplaced:
    if not _NAME.fullmatch(name):
        return Misplaced(Rule.INVALID_NAME, f"{name!r} is not an environment name", NAME_HINT)
    return Place(FileKind.ENVIRONMENT, name, name)


def _misplaced(parts: tuple[str, ...]) -> Misplaced:
    expected = [SETTINGS_FILE] if len(parts) == 1 else [ENVIRONMENT_FILE]
    near = closest(parts[-1], expected) if len(parts) <= 2 else None
    return Misplaced(Rule.MISPLACED_FILE, "nothing is expected here", f"did you mean {near}?" if near else _FILES)
