"""Snapshots: desired states in which nothing is wrong, by the id of the git tree they come from.

Equal ids mean equal files, so a snapshot never goes out of date. It is written as JSON, and read as data alone.
"""

from __future__ import annotations

from dataclasses import asdict, astuple, dataclass, replace
from itertools import repeat
from typing import Any

import orjson

from reconciler.desired.assembly import assemble
from reconciler.desired.collection import ManifestFile, Manifests
from reconciler.desired.findings import Finding, Problem, Rule
from reconciler.desired.layout import CATALOG_FOLDER, ENVIRONMENT_FILE, SETTINGS_FILE, TENANT_FILE, FileKind, Place
from reconciler.desired.manifest_model import Manifest
from reconciler.desired.manifests import model_of
from reconciler.desired.model import ABSENT, DesiredState, Host
from reconciler.kernel.assignment import Hold


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the files below a tree come to.

    ``tree`` is its id. ``entries`` and ``bytes`` are how much was listed and read, or more. ``warnings`` are what
    it holds besides the state, ``of_catalog`` those of them that the catalog alone is to blame for.
    """

    tree: str
    manifests: Manifests
    state: DesiredState
    warnings: tuple[Finding, ...]
    of_catalog: tuple[Problem, ...]
    entries: int
    bytes: int


def to_json(snapshot: Snapshot) -> bytes:
    """Return a snapshot as JSON."""
    manifests = snapshot.manifests
    document = {
        "tree": snapshot.tree,
        "root": manifests.root,
        "entries": snapshot.entries,
        "bytes": snapshot.bytes,
        "warnings": [asdict(finding) for finding in snapshot.warnings],
        "of_catalog": [astuple(problem) for problem in snapshot.of_catalog],
        "settings": _dumped(manifests.settings),
        "packages": {name: _dumped(file) for name, file in manifests.packages.items()},
        "environments": {name: _dumped(file) for name, file in manifests.environments.items()},
        "tenants": {name: _dumped(file) for name, file in manifests.tenants.items()},
        "hosts": {environment: _columns(hosts) for environment, hosts in manifests.hosts.items()},
    }
    return orjson.dumps(document)


def from_json(text: bytes, root: str, revision: str) -> Snapshot | None:
    """Return the snapshot that `to_json` wrote, or ``None`` where it is one of another root.

    Args:
        text: what it wrote.
        root: what paths are to start with.
        revision: the id of a commit that may have the same tree.

    Raises:
        ValueError: it wrote something else.
        LookupError, TypeError, AttributeError: likewise.
    """
    document = orjson.loads(text)
    if document["root"] != root:
        return None
    manifests = Manifests(root)
    manifests.keep(_file(f"{root}{SETTINGS_FILE}", Place(FileKind.SETTINGS), document["settings"]))
    for name, content in document["packages"].items():
        manifests.keep(_file(f"{root}{CATALOG_FOLDER}/{name}.yaml", Place(FileKind.PACKAGE, name), content))
    for name, content in document["environments"].items():
        place = Place(FileKind.ENVIRONMENT, name, name)
        manifests.keep(_file(f"{root}{name}/{ENVIRONMENT_FILE}", place, content))
    for name, content in document["tenants"].items():
        manifests.keep(_file(f"{root}{name}/{TENANT_FILE}", Place(FileKind.TENANT, name), content))
    for environment, columns in document["hosts"].items():
        manifests.hosts[environment] = _hosts(environment, columns)
    warnings = tuple(Finding(**{**finding, "rule": Rule(finding["rule"])}) for finding in document["warnings"])
    of_catalog = tuple(
        Problem(path, Rule(rule), message, hint, tuple(location), on_key)
        for path, rule, message, hint, location, on_key in document["of_catalog"]
    )
    state = assemble(manifests, revision)
    return Snapshot(
        document["tree"], manifests, state, warnings, of_catalog, document["entries"], document["bytes"]
    )


def _dumped(file: ManifestFile[Any] | None) -> dict[str, Any] | None:
    """Return what a valid file says; reading it again gives the same."""
    manifest: Manifest | None = file.manifest if file is not None else None
    return manifest.model_dump(mode="json", by_alias=True, exclude_defaults=True) if manifest is not None else None


def _file(path: str, place: Place, content: dict[str, Any]) -> ManifestFile[Any]:
    return ManifestFile(path, place, model_of(place.kind, content).model_validate(content), {})


def _columns(hosts: dict[str, Host]) -> dict[str, Any]:
    """Return hosts as columns: names, labels, versions. What few have stands apart."""
    return {
        "names": list(hosts),
        "labels": [host.labels for host in hosts.values()],
        "packages": [
            {p: version for p, version in host.packages.items() if version is not ABSENT}
            for host in hosts.values()
        ],
        "absent": {name: list(host.packages) for name, host in hosts.items() if ABSENT in host.packages.values()},
        "holds": {name: (host.hold.reason, host.hold.until) for name, host in hosts.items() if host.hold},
        "pushed": {name: (host.address, host.winrm) for name, host in hosts.items() if host.winrm},
    }


def _hosts(environment: str, columns: dict[str, Any]) -> dict[str, Host]:
    names, labels, packages = columns["names"], columns["labels"], columns["packages"]
    # Nearly all hosts are done with here, at the speed of the interpreter's own loops.
    hosts = dict(zip(names, map(Host, names, repeat(environment), labels, packages), strict=True))
    for name, order in columns["absent"].items():
        host = hosts[name]
        hosts[name] = replace(host, packages={package: host.packages.get(package, ABSENT) for package in order})
    for name, (reason, until) in columns["holds"].items():
        hosts[name] = replace(hosts[name], hold=Hold(reason, until))
    for name, (address, winrm) in columns["pushed"].items():
        hosts[name] = replace(hosts[name], address=address, winrm=winrm)
    return hosts
