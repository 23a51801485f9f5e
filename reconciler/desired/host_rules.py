"""Checks what environments say of their hosts: that overrides reach some, and confirmations are needed. Pure.

Works on files already read; where one that matters could not be read, nothing is said that it might refute.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from reconciler.desired.collection import ManifestFile, Manifests
from reconciler.desired.environment_rules import links_of
from reconciler.desired.findings import Location, Problem, Rule
from reconciler.desired.manifests import EnvironmentManifest
from reconciler.desired.model import ABSENT, ABSENT_TEXT, Host
from reconciler.desired.package_manifests import PackageManifest
from reconciler.desired.suggestions import Suggester


def check_hosts(manifests: Manifests, suggester: Suggester) -> Iterator[Problem]:
    """Yield overrides that reach no host and confirmations that confirm nothing."""
    asking = [
        (name, file)
        for name, file in sorted(manifests.environments.items())
        if file.manifest is not None and (file.manifest.overrides or file.manifest.confirm)
    ]
    if not asking:
        return
    broken = {file.place.environment for file in manifests.broken_hosts.values()}
    inheritance = links_of(manifests, "inherits", "inherits")
    for name, file in asking:
        manifest = file.manifest
        assert manifest is not None
        hosts = list(manifests.hosts.get(name, {}).values())
        if name not in broken:
            yield from _overrides(file.path, manifest, name, hosts, suggester)
        yield from _unknown(file.path, manifest, manifests, suggester)
        base = _inherited(manifests, name, inheritance)
        if name not in broken and base is not None:
            yield from _needless(file.path, manifest, name, base, hosts, manifests.packages)


def _overrides(
    path: str, manifest: EnvironmentManifest, name: str, hosts: Sequence[Host], suggester: Suggester
) -> Iterator[Problem]:
    values: dict[str, set[str]] = defaultdict(set)
    for host in hosts if manifest.overrides else ():
        for label, value in host.labels.items():
            values[label].add(value)
    for index, override in enumerate(manifest.overrides):
        within: Location = ("overrides", index, "hosts")
        reached = True
        for label, value in override.hosts.items():
            if label not in values:
                reached = False
                listed = f"labels here: {', '.join(sorted(values)[:20])}" if values else "no host here has labels"
                hint = suggester.hint(f"label in {name}", label, sorted(values), listed)
                message = f"no host of {name} has the label {label!r}"
                yield Problem(path, Rule.UNKNOWN_LABEL, message, hint, (*within, label), on_key=True)
            elif value not in values[label]:
                reached = False
                known = sorted(values[label])
                hint = suggester.hint(f"{label} in {name}", value, known, f"hosts have: {', '.join(known[:20])}")
                message = f"no host of {name} has {label}: {value}"
                yield Problem(path, Rule.UNKNOWN_LABEL, message, hint, (*within, label))
        if reached and not any(override.hosts.items() <= host.labels.items() for host in hosts):
            message = f"no host of {name} has all of these labels"
            hint = f"a host's labels stand in {name}/hosts/<host>.yaml"
            yield Problem(path, Rule.UNKNOWN_LABEL, message, hint, within)


def _unknown(
    path: str, manifest: EnvironmentManifest, manifests: Manifests, suggester: Suggester
) -> Iterator[Problem]:
    for index, package in enumerate(manifest.confirm):
        if package not in manifests.packages:
            hint = suggester.hint("package", package, manifests.packages, "a removal is confirmed by package name")
            message = f"the catalog has no package {package!r}"
            yield Problem(path, Rule.UNKNOWN_PACKAGE, message, hint, ("confirm", index))


def _inherited(manifests: Manifests, name: str, inheritance: Mapping[str, str]) -> dict[str, str] | None:
    """Return the versions of an environment, with those inherited; ``None`` where they cannot be told."""
    line: list[EnvironmentManifest] = []
    passed: set[str] = set()
    current: str | None = name
    while current is not None:
        manifest = manifests.environments[current].manifest
        if manifest is None or current in passed or (manifest.inherits and current not in inheritance):
            return None
        passed.add(current)
        line.append(manifest)
        current = inheritance.get(current)
    return {package: version for manifest in reversed(line) for package, version in manifest.packages.items()}


def _needless(
    path: str,
    manifest: EnvironmentManifest,
    name: str,
    versions: Mapping[str, str],
    hosts: Sequence[Host],
    packages: Mapping[str, ManifestFile[PackageManifest]],
) -> Iterator[Problem]:
    """Yield confirmations of removals that nothing asks for: they would let a later one through unasked."""
    removed = {package for package, version in versions.items() if version == ABSENT_TEXT}
    removed.update(
        package
        for override in manifest.overrides
        for package, version in override.packages.items()
        if version == ABSENT_TEXT
    )
    removed.update(p for host in hosts for p, version in host.packages.items() if version is ABSENT)
    for index, package in enumerate(manifest.confirm):
        may_be_pruned = manifest.prune and package not in versions
        if package in packages and package not in removed and not may_be_pruned:
            message = f"{name} does not ask for the removal of {package}"
            hint = "take the confirmation out, or a later removal will not ask for one"
            yield Problem(path, Rule.NEEDLESS_CONFIRMATION, message, hint, ("confirm", index))
