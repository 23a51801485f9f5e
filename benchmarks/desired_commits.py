"""Repositories with the desired state of a made-up fleet, in packs as a fetch leaves them: one commit with all of
it, and others that each change a few host files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pygit2
from pygit2.enums import FileMode

from benchmarks import fleet
from reconciler.desired.catalog import Package
from reconciler.desired.loading import DEFAULT_ROOT
from reconciler.desired.mirror import fetch, open_mirror
from reconciler.desired.repository import GitRepository

PACKAGES = 200
CHANGED = 20
"""Host files that each later commit changes."""

_AUTHOR = pygit2.Signature("Riley Release", "riley@example.com", 1_700_000_000, 0)


@dataclass(frozen=True, slots=True)
class Fleet:
    """A mirror of the repository, its commit with everything, and those after it, oldest first."""

    mirror: GitRepository
    first: str
    later: tuple[str, ...]


def commit_fleet(folder: Path, hosts: int, later: int) -> Fleet:
    """Make a repository below ``folder`` with so many hosts, and so many commits that change `CHANGED` of them."""
    git = pygit2.init_repository(str(folder / "fleet.git"), bare=True)
    packages = [fleet.package(number) for number in range(PACKAGES)]
    names = list(fleet.host_names(hosts))
    files = {f"{name}.yaml": _host_file(number, packages) for number, name in enumerate(names)}
    host_tree = _tree(git, files)
    commits = [_commit(git, packages, host_tree, [])]
    for number in range(later):
        builder = git.TreeBuilder(host_tree)
        for step in range(CHANGED):
            name = f"{names[(step * hosts // CHANGED + number) % hosts]}.yaml"
            changed = files[name].replace("hall-", f"hall-{number}-")
            builder.insert(name, git.create_blob(changed.encode()), FileMode.BLOB)
        host_tree = builder.write()
        commits.append(_commit(git, packages, host_tree, [commits[-1]]))
    git.references.create("refs/heads/main", commits[-1])
    mirror = open_mirror(str(folder / "fleet.git"), folder / "mirror.git")
    fetch(mirror)
    return Fleet(mirror, str(commits[0]), tuple(map(str, commits[1:])))


def _commit(
    git: pygit2.Repository, packages: list[Package], hosts: pygit2.Oid, parents: list[pygit2.Oid]
) -> pygit2.Oid:
    wanted = "".join(f"  {package.name}: {package.releases[-2].version}\n" for package in packages)
    environment = git.TreeBuilder(_tree(git, {"environment.yaml": f"packages:\n{wanted}"}))
    environment.insert("hosts", hosts, FileMode.TREE)
    catalog = _tree(git, {f"{package.name}.yaml": _catalog_file(package) for package in packages})
    root = git.TreeBuilder(_tree(git, {"reconciler.yaml": "version: 1\n"}))
    root.insert("catalog", catalog, FileMode.TREE)
    root.insert(fleet.ENVIRONMENT, environment.write(), FileMode.TREE)
    top = git.TreeBuilder()
    top.insert(DEFAULT_ROOT, root.write(), FileMode.TREE)
    return git.create_commit(None, _AUTHOR, _AUTHOR, "The fleet", top.write(), list(parents))


def _tree(git: pygit2.Repository, files: dict[str, str]) -> pygit2.Oid:
    builder = git.TreeBuilder()
    for name, text in files.items():
        builder.insert(name, git.create_blob(text.encode()), FileMode.BLOB)
    return builder.write()


def _catalog_file(package: Package) -> str:
    lines = [f'upgradeCode: "{package.upgrade_code}"', "releases:"]
    for release in package.msi_releases:
        lines += [
            f"  - version: {release.version}",
            f'    productCode: "{release.product_code}"',
            f'    packageCode: "{release.package_code}"',
            "    artifact:",
            f"      sha256: {release.artifact.sha256}",
            f"      size: {release.artifact.size}",
            f"      file: {release.artifact.file_name}",
        ]
    return "\n".join(lines) + "\n"


def _host_file(number: int, packages: list[Package]) -> str:
    """Write a host of some 600 bytes: labels, and some versions of its own."""
    labels = {
        "site": f"plant-{number % 40:02}",
        "building": f"hall-{number % 7}",
        "line": f"packaging-{number % 90:02}",
        "ring": "canary" if number % 50 == 0 else "broad",
        "owner": f"team-{number % 25:02}.manufacturing",
        "asset": f"AT-{number:08}",
        "model": "contoso-industrial-pc-4200",
        "network": f"vlan-{1000 + number % 400}",
        "timezone": "Europe/Helsinki",
        "replaces": f"AT-{max(number - 7000, 0):08}",
        "supplier": "northwind-traders",
        "maintenance": f"group-{number % 12:02}",
        "purpose": "operators-terminal-beside-the-line-with-label-printer",
    }
    own = [packages[(number + step) % PACKAGES] for step in (0, 17, 31)]
    lines = [
        "# yaml-language-server: $schema=../../../schemas/host.schema.json",
        "# Stands in the cabinet behind the line; the key is with the shift leader.",
        "labels:",
    ]
    lines += [f"  {name}: {value}" for name, value in labels.items()]
    lines += ["packages:", *(f"  {package.name}: {package.releases[-2].version}" for package in own)]
    return "\n".join(lines) + "\n"
