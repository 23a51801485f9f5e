"""The desired state of 10,000 hosts read from a commit, against its bytes out of git and through the C parser."""

from __future__ import annotations

import tempfile
from pathlib import Path

from yaml._yaml import CParser

from benchmarks import fleet
from benchmarks.measure import Figure, Spread, cpu_seconds, progress, ratios, take_turns
from reconciler.desired.loading import DEFAULT_ROOT, load
from reconciler.desired.mirror import fetch, open_mirror
from reconciler.desired.model import Package
from reconciler.desired.repository import GitRepository
from reconciler.kernel.errors import ReconcilerError
from reconciler.testing.workspace import Workspace

HOSTS = 10_000
PACKAGES = 200
_ROUNDS = 7


class NotLoaded(ReconcilerError):
    """The made-up desired state does not validate, or not all of it was read."""

    reference = "not-loaded"


def run() -> tuple[Figure, ...]:
    """Measure, and return the figures.

    Raises:
        NotLoaded: what was measured is not what it is said to be.
    """
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as folder:
        progress(f"  committing {HOSTS:,} hosts and {PACKAGES} packages")
        mirror, commit = _mirrored(Path(folder))
        loaded = load(mirror, commit)
        if loaded.state is None or (len(loaded.state.hosts), len(loaded.state.packages)) != (HOSTS, PACKAGES):
            found = "; ".join(f"{f.path}:{f.line}: {f.message}" for f in loaded.findings[:3])
            raise NotLoaded(f"not everything was loaded: {found}")
        del loaded
        progress(f"  {_ROUNDS} rounds")
        taken = take_turns(
            _ROUNDS,
            {
                "load": lambda: cpu_seconds(lambda: load(mirror, commit)),
                "floor": lambda: cpu_seconds(lambda: _read_and_parse(mirror, commit)),
            },
        )
    files = HOSTS + PACKAGES
    return (
        Figure("cold load ÷ bytes out of git and one parse", "", ratios(taken["load"], taken["floor"])),
        Figure("cold load, processor time a file", "µs", Spread.of(s / files * 1e6 for s in taken["load"])),
        Figure("floor, processor time a file", "µs", Spread.of(s / files * 1e6 for s in taken["floor"])),
        Figure("cold load of the whole state, processor time", "s", Spread.of(taken["load"])),
    )


def _mirrored(folder: Path) -> tuple[GitRepository, str]:
    """Return a repository in packs, as a fetch leaves it, with the desired state in its one commit."""
    workspace = Workspace(folder / "fleet.git", folder / "fleet")
    commit = workspace.publish({f"{DEFAULT_ROOT}/{path}": text for path, text in _files().items()}, "The fleet")
    mirror = open_mirror(str(workspace.bare), folder / "mirror.git")
    fetch(mirror)
    return mirror, commit


def _read_and_parse(repository: GitRepository, commit: str) -> None:
    """Do what no reader of YAML out of git can go without: every object once, every event once."""
    for entry in repository.entries(commit, DEFAULT_ROOT) or ():
        next_event = CParser(repository.read(entry.oid)).get_event
        while next_event() is not None:
            pass


def _files() -> dict[str, str]:
    packages = [fleet.package(number) for number in range(PACKAGES)]
    wanted = "".join(f"  {package.name}: {package.releases[-2].version}\n" for package in packages)
    return {
        "reconciler.yaml": "version: 1\n",
        f"{fleet.ENVIRONMENT}/environment.yaml": f"packages:\n{wanted}",
        **{f"catalog/{package.name}.yaml": _catalog_file(package) for package in packages},
        **{
            f"{fleet.ENVIRONMENT}/hosts/{name}.yaml": _host_file(number, packages)
            for number, name in enumerate(fleet.host_names(HOSTS))
        },
    }


def _catalog_file(package: Package) -> str:
    lines = [f'upgradeCode: "{package.upgrade_code}"', "releases:"]
    for release in package.releases:
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
