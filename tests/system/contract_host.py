"""What the conformance suite is run on: a lab host with the suite's packages, and a driver's way to it."""

from __future__ import annotations

import hashlib
import ipaddress
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.grants.model import WinRMGrant
from reconciler.hosts.winrm.commands import Commands
from reconciler.hosts.winrm.connection import Connection
from reconciler.hosts.winrm.opening import open_protocol
from reconciler.hosts.winrm.target import PORT, Target
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.releases import MsiRelease, PatchRelease
from reconciler.lab import Lab, LabHost
from reconciler.lab.packages import BuiltPackage
from tests.system.conftest import ExamplePackages, MisbehavingReleases
from tests.system.installer_deltas import Change, make_patch

FOLDER = r"C:\Contract"
PATCH_CODE = "{A34F5150-9C3E-4B5E-8C4A-2A5E8D3B7A11}"


@dataclass(frozen=True, slots=True)
class Placed:
    """The suite's releases by the part that they play, and where their files lie on the host, by sha256."""

    releases: dict[str, MsiRelease]
    patch: PatchRelease
    files: dict[str, str]
    upgrade_code: str


def release_of(package: BuiltPackage) -> MsiRelease:
    content = package.path.read_bytes()
    artifact = Artifact(hashlib.sha256(content).hexdigest(), len(content), package.source.file_name)
    return MsiRelease(package.source.version, package.source.product_code, package.source.package_code, artifact)


def place(host: LabHost, examples: ExamplePackages, misbehaving: MisbehavingReleases) -> Placed:
    """Put the suite's packages on a host."""
    packages = {
        "first": examples.get("contoso-agent", "2.1.0"),
        "minor": examples.get("contoso-agent", "2.1.1"),
        "major": examples.get("contoso-agent", "3.0.0"),
        "refusing": misbehaving.failing,
        "slow": misbehaving.slow,
    }
    releases = {name: release_of(package) for name, package in packages.items()}
    files = {}
    for name, package in packages.items():
        files[releases[name].artifact.sha256] = rf"{FOLDER}\{name}\{package.source.file_name}"
        host.copy_in(package.path, files[releases[name].artifact.sha256])
    patch, files[patch.artifact.sha256] = _place_patch(host, packages["first"])
    return Placed(releases, patch, files, packages["first"].source.upgrade_code)


def _place_patch(host: LabHost, package: BuiltPackage) -> tuple[PatchRelease, str]:
    """Put a patch of a package on a host, and return where."""
    source, path = package.source, rf"{FOLDER}\fix.msp"
    changes = [Change("Property", "SITE", 2, "patched")]
    with tempfile.TemporaryDirectory() as folder:
        file = make_patch(Path(folder, "fix.msp"), PATCH_CODE, source, changes, {})
        host.copy_in(file, path)
        content = file.read_bytes()
    artifact = Artifact(hashlib.sha256(content).hexdigest(), len(content), "fix.msp")
    return PatchRelease(f"{source.version}.1", PATCH_CODE, artifact, (source.product_code,)), path


@contextmanager
def reached_by_winrm(lab: Lab, name: str) -> Iterator[tuple[LabHost, Commands]]:
    """Boot a host and reach it by WinRM; it is removed in the end."""
    (host,) = lab.up([name])
    endpoint = host.start_winrm()
    grant = WinRMGrant("lab", (), (), user=endpoint.settings.user, password="env:LAB_WINRM_PASSWORD")
    target = Target(name.upper(), endpoint.url, endpoint.address, PORT, grant)
    address = ipaddress.ip_address(endpoint.address)
    connection = Connection(name.upper(), lambda: open_protocol(target, address), lambda: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_WINRM_PASSWORD", endpoint.settings.password)
        try:
            yield host, Commands(name.upper(), connection)
        finally:
            connection.close()
            host.remove()
