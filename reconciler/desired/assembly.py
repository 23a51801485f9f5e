"""Builds the model from files in which nothing is wrong. Checks nothing."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.desired.manifests import PackageManifest, ReleaseManifest
from reconciler.desired.model import ABSENT, ABSENT_TEXT, DesiredState, Environment, Host, Package, Wanted
from reconciler.desired.references import Manifests
from reconciler.kernel.releases import Artifact, Release


def assemble(manifests: Manifests, revision: str) -> DesiredState:
    """Return the desired state that valid files describe, everything in the order of names.

    Args:
        manifests: the files, each with its manifest.
        revision: the id of the commit they come from.
    """
    packages = {
        name: _package(name, file.manifest)
        for name, file in sorted(manifests.packages.items())
        if file.manifest is not None
    }
    environments = {
        name: Environment(name, file.manifest.promotes_from, _wanted(file.manifest.packages))
        for name, file in sorted(manifests.environments.items())
        if file.manifest is not None
    }
    hosts = {
        file.place.name: Host(
            file.place.name, file.place.environment, file.manifest.labels, _wanted(file.manifest.packages)
        )
        for file in sorted(manifests.hosts, key=lambda file: file.place.name)
        if file.manifest is not None
    }
    return DesiredState(revision, packages, environments, hosts)


def _wanted(versions: Mapping[str, str]) -> Mapping[str, Wanted]:
    if ABSENT_TEXT not in versions.values():
        return versions
    return {package: ABSENT if version == ABSENT_TEXT else version for package, version in versions.items()}


def _package(name: str, manifest: PackageManifest) -> Package:
    return Package(name, manifest.upgrade_code, tuple(_release(release) for release in manifest.releases))


def _release(manifest: ReleaseManifest) -> Release:
    artifact = manifest.artifact
    return Release(
        version=manifest.version,
        product_code=manifest.product_code,
        package_code=manifest.package_code,
        artifact=Artifact(artifact.sha256, artifact.size, artifact.file),
        properties=tuple(manifest.properties.items()),
    )
