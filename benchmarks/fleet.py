"""A made-up fleet, the same at each run: what each host should have and what it has. Knows no clock, no chance."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from reconciler.desired.catalog import Package
from reconciler.desired.model import DesiredState, Environment, Host
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.identity import normalise_guid
from reconciler.kernel.observation import InstalledProduct, Observation
from reconciler.kernel.protocol import hash_key, report_digest
from reconciler.kernel.releases import MsiRelease
from reconciler.kernel.wire import encode
from reconciler.rollout.assignments import Assigner
from reconciler.store import tables
from reconciler.store.database import Database
from reconciler.store.machines import MachineState

ENVIRONMENT = "prod"
PACKAGES = 20
UNMANAGED = 20
"""Products of each host that no catalog knows."""

RELEASES = 5
"""Releases of each package in the catalog; the one before the last is wanted."""

ENROLLED_AT = 1_700_000_000.0
_EVERY_NTH_OVERRIDES = 20
_EVERY_NTH_IS_BEHIND = 10
_EVERY_NTH_LACKS_ONE = 50


@dataclass(frozen=True, slots=True)
class EnrolledHost:
    """A host as its agent sees it: its name and key, and the digests that it checks in with."""

    name: str
    key: str
    report: str
    assignment: str
    run: str


def desired_state(hosts: int, count: int = PACKAGES) -> DesiredState:
    """Return a desired state with so many hosts in one environment, each with ``count`` packages; every 20th has
    an override of its own.
    """
    packages = {package.name: package for package in map(package, range(count))}
    versions = {name: package.releases[-2].version for name, package in packages.items()}
    override = {"package-00": packages["package-00"].releases[-1].version}
    named = {
        name: Host(name, ENVIRONMENT, packages={} if number % _EVERY_NTH_OVERRIDES else override)
        for number, name in enumerate(host_names(hosts))
    }
    return DesiredState("0" * 40, packages, {ENVIRONMENT: Environment(ENVIRONMENT, packages=versions)}, named)


def observe(desired: DesiredState, number: int, name: str) -> Observation:
    """Return what a host says of itself: every 10th is behind in one package, every 50th lacks one, and each has
    products that nobody manages, some of its own.
    """
    wanted = desired.wanted(ENVIRONMENT, name)
    products = []
    for place, (package, release) in enumerate(wanted.items()):
        assert isinstance(release, MsiRelease)
        if number % _EVERY_NTH_LACKS_ONE == 1 and place == 1:
            continue
        behind = number % _EVERY_NTH_IS_BEHIND == 2 and place == 2
        has = desired.packages[package].msi_releases[0] if behind else release
        upgrade_code = desired.packages[package].upgrade_code
        products.append(InstalledProduct(has.product_code, has.version, package, has.package_code, upgrade_code))
    for place in range(UNMANAGED):
        label = f"unmanaged {place if place % 2 else number * UNMANAGED + place}"
        products.append(
            InstalledProduct(_guid(label), "1.0.0", label, _guid(label + " package"), _guid(label + " family"))
        )
    return Observation(
        products=tuple(products),
        booted_at=int(ENROLLED_AT),
        system="Windows 10.0.20348",
        agent_version="0.1.0",
    )


def enrol_all(database: Path, desired: DesiredState) -> tuple[EnrolledHost, ...]:
    """Put every host into a new store, enrolled, assigned to and reported, and return them as their agents do."""
    assigner = Assigner(desired)
    hosts, rows, starts = [], [], []
    for number, name in enumerate(desired.hosts):
        assigned = assigner.assign(name, ENVIRONMENT)
        assert assigned is not None
        observation = observe(desired, number, name)
        key = hashlib.sha256(name.encode()).hexdigest()[:43]
        run = hashlib.sha256(f"run of {name}".encode()).hexdigest()[:32]
        host = EnrolledHost(name, key, report_digest(observation, assigned.digest), assigned.digest, run)
        hosts.append(host)
        starts.append(
            {
                "host": name,
                "run": run,
                "start": 1,
                "machine": "",
                "address": "127.0.0.1",
                "first_seen": ENROLLED_AT,
                "came_back": 0,
                "state": MachineState.CURRENT,
            }
        )
        rows.append(
            {
                "name": name,
                "environment": ENVIRONMENT,
                "key_sha256": hash_key(key),
                "enrolled_at": ENROLLED_AT,
                "last_seen": ENROLLED_AT,
                "reported_at": ENROLLED_AT,
                "report_digest": host.report,
                "acknowledged": assigned.digest,
                "observation": json.dumps(encode(observation), separators=(",", ":")),
                "assigned": assigned.digest,
                "assigned_revision": desired.revision,
                "assigned_at": ENROLLED_AT,
            }
        )
    store = Database(database)
    try:
        with store.write() as connection:
            connection.execute(sa.insert(tables.hosts), rows)
            connection.execute(sa.insert(tables.machines), starts)
    finally:
        store.close()
    return tuple(hosts)


def host_names(hosts: int) -> Iterator[str]:
    """Name so many hosts."""
    return (f"HOST-{number:05}" for number in range(hosts))


def package(number: int) -> Package:
    """Make up a package with `RELEASES` releases, the oldest first."""
    name = f"package-{number:02}"
    releases = tuple(_release(name, f"{major}.0.0") for major in range(1, RELEASES + 1))
    return Package(name, _guid(name), releases)


def _release(package: str, version: str) -> MsiRelease:
    label = f"{package} {version}"
    artifact = Artifact(hashlib.sha256(label.encode()).hexdigest(), 1_000_000, f"{package}.msi")
    return MsiRelease(version, _guid(f"{label} product"), _guid(f"{label} package"), artifact)


def _guid(label: str) -> str:
    return normalise_guid(str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{label}.benchmarks.reconciler.invalid")))
