"""Says what a file is by where it lies in a desired-state repository. Reads no file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from reconciler.desired.findings import Rule
from reconciler.desired.suggestions import closest

SETTINGS_FILE = "reconciler.yaml"
CATALOG_FOLDER = "catalog"
ENVIRONMENT_FILE = "environment.yaml"
TENANT_FILE = "tenant.yaml"
HOSTS_FOLDER = "hosts"

_WORD = "[a-z0-9]+(?:[._-][a-z0-9]+)*"

NAME_PATTERN = f"^{_WORD}$"
"""Names of packages, groups, tenants and their environments: they stand in file names and URLs."""

ENVIRONMENT_PATTERN = f"^{_WORD}(?:/{_WORD})?$"
"""Names of environments: a tenant's have its name in front."""

NAME_HINT = "names have lower-case letters and digits, with single dots, hyphens or underscores between them"

HOST_PATTERN = r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?$"
"""Names of hosts: a computer name or a fully qualified one."""

HOST_HINT = "a host's file is named after it, such as PROD-01.yaml or web1.example.com.yaml"

_FILES = (
    "the files are reconciler.yaml, catalog/<package>.yaml, <environment>/environment.yaml and "
    "<environment>/hosts/<host>.yaml; environments may lie in folders of tenants, beside a tenant.yaml"
)
_NAME = re.compile(NAME_PATTERN)
_HOST = re.compile(HOST_PATTERN)
_DOCUMENTS = (".md", ".txt", ".rst")
_CODE_OWNERS = "CODEOWNERS"
_RESERVED = frozenset({CATALOG_FOLDER, HOSTS_FOLDER})


class FileKind(StrEnum):
    """The kinds of files in a desired-state repository."""

    SETTINGS = "reconciler"
    PACKAGE = "package"
    ENVIRONMENT = "environment"
    HOST = "host"
    TENANT = "tenant"


@dataclass(frozen=True, slots=True)
class Place:
    """What a file is. ``name`` is the package's, environment's, host's or tenant's; empty for the settings."""

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
    for part in parts:
        if part[:1] == "." or part == _CODE_OWNERS:
            return None
    if parts[-1].endswith(_DOCUMENTS):
        return None
    if parts[0] in _RESERVED:
        return _named(FileKind.PACKAGE, parts[1], "") if _is_package(parts) else _misplaced(parts)
    match parts:
        case (environment, folder, name) if folder == HOSTS_FOLDER:
            return _named(FileKind.HOST, name, environment)
        case (tenant, environment, folder, name) if folder == HOSTS_FOLDER and environment not in _RESERVED:
            return _named(FileKind.HOST, name, f"{tenant}/{environment}")
        case (name,) if name == SETTINGS_FILE:
            return Place(FileKind.SETTINGS)
        case (tenant, name) if name == TENANT_FILE:
            return _folder(FileKind.TENANT, (tenant,))
        case (*folders, name) if (
            name == ENVIRONMENT_FILE and len(folders) in (1, 2) and folders[-1] not in _RESERVED
        ):
            return _folder(FileKind.ENVIRONMENT, tuple(folders))
    return _misplaced(parts)


def tenant_of(environment: str) -> str | None:
    """Return the tenant whose environment it is, by its full name; ``None`` for one that is nobody's."""
    tenant, slash, _ = environment.rpartition("/")
    return tenant if slash else None


def top_level(paths: Iterable[tuple[str, ...]]) -> set[str]:
    """Return the names at the top that belong to the desired state, where other things stand beside it.

    Args:
        paths: the paths of all files, folder by folder.
    """
    ours = {SETTINGS_FILE, CATALOG_FOLDER}
    for parts in paths:
        beside_hosts = len(parts) > 2 and HOSTS_FOLDER in parts[1:3]
        if beside_hosts or parts[1:] in ((ENVIRONMENT_FILE,), (TENANT_FILE,)) or parts[2:] == (ENVIRONMENT_FILE,):
            ours.add(parts[0])
    return ours


def _is_package(parts: tuple[str, ...]) -> bool:
    return len(parts) == 2 and parts[0] == CATALOG_FOLDER


def _named(kind: FileKind, file_name: str, environment: str) -> Place | Misplaced:
    stem, dot, extension = file_name.rpartition(".")
    if extension != "yaml" or not dot:
        hint = f"call it {stem or file_name}.yaml" if extension == "yml" or not dot else "move it elsewhere"
        message = f"{file_name} is no {kind} file: its name does not end in .yaml"
        return Misplaced(Rule.MISPLACED_FILE, message, hint)
    if kind is FileKind.HOST and not _HOST.fullmatch(stem):
        return Misplaced(Rule.INVALID_NAME, f"{stem!r} is not a host name", HOST_HINT)
    if kind is FileKind.PACKAGE and not _NAME.fullmatch(stem):
        return Misplaced(Rule.INVALID_NAME, f"{stem!r} is not a package name", NAME_HINT)
    return Place(kind, stem, environment)


def _folder(kind: FileKind, names: tuple[str, ...]) -> Place | Misplaced:
    for name in names:
        if not _NAME.fullmatch(name):
            what = "an environment" if kind is FileKind.ENVIRONMENT and name == names[-1] else "a tenant"
            return Misplaced(Rule.INVALID_NAME, f"{name!r} is not {what} name", NAME_HINT)
    full = "/".join(names)
    return Place(kind, full, full if kind is FileKind.ENVIRONMENT else "")


def _misplaced(parts: tuple[str, ...]) -> Misplaced:
    expected = {1: [SETTINGS_FILE], 2: [ENVIRONMENT_FILE, TENANT_FILE], 3: [ENVIRONMENT_FILE]}.get(len(parts), [])
    near = closest(parts[-1], expected) if parts[0] not in _RESERVED else None
    return Misplaced(Rule.MISPLACED_FILE, "nothing is expected here", f"did you mean {near}?" if near else _FILES)
