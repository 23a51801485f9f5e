"""Takes what a host has already, installed by hand, into the desired state: proposes the files' new text.

Writes only where a folder is named, and never touches the host: once merged, there is nothing to do there.
Products of Windows Installer only: patches, programs and settings are not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.desired.commits import read_text as read_committed
from reconciler.desired.editing import set_version
from reconciler.desired.layout import ENVIRONMENT_FILE, HOSTS_FOLDER
from reconciler.desired.loading import load_folder
from reconciler.desired.model import DesiredState
from reconciler.desired.suggestions import closest
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.releases import PackageKind
from reconciler.operations.adoption import Adopted, Into, LeftOut, Sorting
from reconciler.operations.desired import mirror_of, state_in_force
from reconciler.operations.host import find_host
from reconciler.operations.text_files import FileChange, read_text, write_all
from reconciler.planning.hosts import KnownHost
from reconciler.site import Site


class CannotAdopt(ReconcilerError):
    """Nothing can be said of what the host has, or it does not fit what was asked."""

    reference = "cannot-adopt"


@dataclass(frozen=True, slots=True)
class Adoption:
    """A proposal. ``managed`` names the packages of which the desired state asks what the host has already."""

    host: str
    environment: str
    adopted: tuple[Adopted, ...]
    managed: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    change: FileChange | None
    written: bool = False


def adopt(site: Site, host: str, packages: tuple[str, ...], into: Into, folder: Path | None) -> Adoption:
    """Propose a desired state that asks for what a host has.

    Args:
        site: the installation.
        host: the host's name, in any case.
        packages: the packages to adopt, also where another version is wanted of them now; empty for every one
            of which nothing is wanted yet.
        into: which file takes the versions.
        folder: the folder of the desired state in a working tree, whose catalog counts and which is written to;
            ``None`` to propose against the revision in force and write nothing.

    Raises:
        CannotAdopt: the host has not reported, the folder is not valid, or a package that was named is not in
            the catalog or not on the host.
        UnknownHost: no file names the host and it has not enrolled.
        NothingInForce: no valid revision was seen yet.
        EditError: a file cannot be edited without spoiling it.
        CannotWrite: the file cannot be written.
    """
    known = find_host(site, host)
    if known.observation is None:
        hint = "start its agent; reconciler host shows when it was last heard of"
        raise CannotAdopt("the host has not reported what it has", where=known.name, hint=hint)
    desired = _valid(folder) if folder is not None else state_in_force(site)
    environment = desired.environment_of(known.name, known.environment)
    if environment is None:
        hint = "give it a file in the folder of an environment first"
        raise CannotAdopt("the host belongs to no environment there", where=known.name, hint=hint)
    _check_names(packages, desired)
    sorting = Sorting(desired, desired.wanted(environment, known.name), frozenset(packages))
    sorting.sort(known.observation.products)
    for package in packages:
        if package not in sorting.seen:
            hint = f"reconciler host {known.name} shows what it has"
            raise CannotAdopt(f"the host has nothing of {package}", where=known.name, hint=hint)
    path = _file(desired, known, environment, into)
    versions = {item.package: item.version for item in sorting.adopted}
    change = _change(site, desired, path, versions, folder) if versions else None
    if folder is not None and change is not None:
        write_all({folder / path: change.after})
    return Adoption(
        known.name,
        environment,
        tuple(sorting.adopted),
        tuple(sorting.managed),
        tuple(sorting.left_out),
        change,
        written=folder is not None and change is not None,
    )


def _valid(folder: Path) -> DesiredState:
    loaded = load_folder(folder)
    if loaded.state is None:
        first = loaded.findings[0]
        where = f"{first.path}:{first.line}:{first.column}"
        hint = f"run reconciler validate {folder}"
        raise CannotAdopt(f"the desired state is not valid: {first.message}", where=where, hint=hint)
    return loaded.state


def _check_names(packages: tuple[str, ...], desired: DesiredState) -> None:
    for package in packages:
        if package not in desired.packages:
            near = closest(package, list(desired.packages))
            hint = f"did you mean {near}?" if near else "import one of its MSIs first: reconciler import FILE.msi"
            raise CannotAdopt(f"the catalog has no package {package}", hint=hint)
        kind = desired.packages[package].kind
        if kind is not PackageKind.MSI:
            raise CannotAdopt(
                f"{package} is a package of kind {kind}, and only products of Windows Installer are adopted",
                hint="write its version into the file by hand; the plan shows whether the host has anything to do",
            )


def _file(desired: DesiredState, known: KnownHost, environment: str, into: Into) -> str:
    """Return the path, below the root of the desired state, of the file that takes the versions."""
    if into is Into.ENVIRONMENT:
        return f"{environment}/{ENVIRONMENT_FILE}"
    named = desired.host(known.name)
    return f"{environment}/{HOSTS_FOLDER}/{named.name if named is not None else known.name}.yaml"


def _change(
    site: Site, desired: DesiredState, path: str, versions: Mapping[str, str], folder: Path | None
) -> FileChange:
    if folder is not None:
        shown, before = (folder / path).as_posix(), read_text(folder / path)
    else:
        root = site.settings.root.strip("/")
        shown = f"{root}/{path}" if root else path
        before = read_committed(mirror_of(site), desired.revision, shown)
    up = "../" * (path.count("/") + 1)
    text = before if before is not None else f"# yaml-language-server: $schema={up}schemas/host.schema.json\n"
    for package, version in versions.items():
        text = set_version(text, package, version)
    return FileChange(shown, before, text)
