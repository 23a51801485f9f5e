"""Builds the packages of the model from catalog files in which nothing is wrong. Checks nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

from reconciler.desired.artifact_manifests import ArtifactManifest, NamedFileManifest
from reconciler.desired.catalog import Architecture, Package, ReleaseDetails
from reconciler.desired.configuration_manifests import FileManifest, RegistryManifest, ServiceManifest
from reconciler.desired.fields import seconds_of
from reconciler.desired.package_manifests import (
    ConfigurationReleaseManifest,
    DetectManifest,
    FileReleaseManifest,
    MsiPackageManifest,
    MsiReleaseManifest,
    PackageManifest,
    PatchReleaseManifest,
    ProgramPackageManifest,
    ProgramReleaseManifest,
    ReleaseManifest,
)
from reconciler.desired.practice_manifests import CheckManifest
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.configuration import (
    PlacedFile,
    RegistryType,
    RegistryValue,
    ServiceSetup,
    ServiceState,
    Setting,
    StartMode,
)
from reconciler.kernel.practice import HealthCheck, Practice
from reconciler.kernel.probes import Probe, ProbeKind
from reconciler.kernel.releases import (
    ConfigurationRelease,
    MsiRelease,
    PackageKind,
    PatchRelease,
    ProgramRelease,
    Release,
)


def package_of(name: str, manifest: PackageManifest) -> Package:
    """Return the package that a valid catalog file describes.

    Args:
        name: its name, by its file.
        manifest: what the file says.
    """
    return Package(
        name,
        manifest.upgrade_code if isinstance(manifest, MsiPackageManifest) else "",
        tuple(_release(manifest, release) for release in manifest.releases),
        manifest.title or "",
        tuple(manifest.owners),
        {release.version: _details(release) for release in manifest.releases},
        PackageKind(manifest.kind),
        _practice(manifest),
        detection_of(manifest.detect) if isinstance(manifest, ProgramPackageManifest) else None,
    )


def settings_of(manifest: ConfigurationReleaseManifest) -> tuple[Setting, ...]:
    """Return what a release of a configuration sets: values, then files, then services."""
    return (
        *map(_registry_value, manifest.registry),
        *map(_placed_file, manifest.files),
        *map(_service_setup, manifest.services),
    )


def detection_of(manifest: DetectManifest) -> Probe:
    """Return what a host is asked for the version of a program."""
    if manifest.registry is not None:
        return Probe(ProbeKind.REGISTRY, manifest.registry.key, manifest.registry.name)
    assert manifest.file_version is not None
    return Probe(ProbeKind.FILE_VERSION, manifest.file_version)


def _release(package: PackageManifest, manifest: ReleaseManifest) -> Release:
    if isinstance(manifest, MsiReleaseManifest):
        return MsiRelease(
            version=manifest.version,
            product_code=manifest.product_code,
            package_code=manifest.package_code,
            artifact=_artifact(manifest.artifact),
            properties=tuple(manifest.properties.items()),
            transforms=tuple(_artifact(transform) for transform in manifest.transforms),
            reboot_expected=manifest.expects_reboot,
            features=tuple(manifest.features),
        )
    if isinstance(manifest, PatchReleaseManifest):
        return PatchRelease(
            version=manifest.version,
            patch_code=manifest.patch_code,
            artifact=_artifact(manifest.artifact),
            targets=tuple(manifest.targets),
            removable=manifest.removable,
            properties=tuple(manifest.properties.items()),
            reboot_expected=manifest.expects_reboot,
        )
    if isinstance(manifest, ConfigurationReleaseManifest):
        return ConfigurationRelease(manifest.version, settings_of(manifest), manifest.expects_reboot)
    assert isinstance(package, ProgramPackageManifest)
    assert isinstance(manifest, ProgramReleaseManifest)
    return _program(package, manifest)


def _program(package: ProgramPackageManifest, manifest: ProgramReleaseManifest) -> ProgramRelease:
    return ProgramRelease(
        version=manifest.version,
        artifact=_artifact(manifest.artifact),
        detect=detection_of(package.detect),
        arguments=manifest.arguments if manifest.arguments is not None else package.arguments,
        uninstall=package.uninstall or "",
        success_codes=tuple(package.success_codes),
        reboot_codes=tuple(package.reboot_codes),
        reboot_expected=manifest.expects_reboot,
    )


def _details(manifest: ReleaseManifest) -> ReleaseDetails:
    issue, notes = manifest.issue or "", manifest.notes or ""
    if isinstance(manifest, ConfigurationReleaseManifest):
        placed = (file.artifact for file in manifest.files if file.artifact is not None)
        return ReleaseDetails(file_sources=_sources(placed), issue=issue, notes=notes)
    assert isinstance(manifest, FileReleaseManifest)
    details = ReleaseDetails(sources=tuple(manifest.artifact.sources), issue=issue, notes=notes)
    if not isinstance(manifest, MsiReleaseManifest):
        return details
    architecture = Architecture(manifest.architecture) if manifest.architecture is not None else None
    return replace(details, architecture=architecture, transform_sources=_sources(manifest.transforms))


def _sources(files: Iterable[NamedFileManifest]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(file.sources) for file in files)


def _artifact(manifest: NamedFileManifest) -> Artifact:
    signer = manifest.signer if isinstance(manifest, ArtifactManifest) else None
    return Artifact(manifest.sha256, manifest.size, manifest.file, signer or "")


def _registry_value(manifest: RegistryManifest) -> RegistryValue:
    data = "\n".join(manifest.data) if isinstance(manifest.data, list) else str(manifest.data)
    return RegistryValue(manifest.key, manifest.name, RegistryType(manifest.type), data)


def _placed_file(manifest: FileManifest) -> PlacedFile:
    if manifest.artifact is not None:
        artifact = _artifact(manifest.artifact)
        return PlacedFile(manifest.path, artifact.sha256, artifact=artifact)
    text = manifest.text or ""
    return PlacedFile(manifest.path, hashlib.sha256(text.encode("utf-8")).hexdigest(), text)


def _service_setup(manifest: ServiceManifest) -> ServiceSetup:
    start = StartMode(manifest.start) if manifest.start is not None else None
    return ServiceSetup(manifest.name, start, ServiceState(manifest.state) if manifest.state is not None else None)


def _practice(manifest: PackageManifest) -> Practice:
    return Practice(
        services=tuple(manifest.stop.services),
        processes=tuple(manifest.stop.processes),
        before=tuple(manifest.before),
        after=tuple(manifest.after),
        checks=tuple(_check(check) for check in manifest.checks),
        settle=seconds_of(manifest.settle),
        despite_reboot=manifest.install_while_reboot_pending,
        seconds=seconds_of(manifest.timeout),
    )


def _check(manifest: CheckManifest) -> HealthCheck:
    seconds = seconds_of(manifest.timeout)
    if manifest.service is not None:
        return HealthCheck(
            Probe(ProbeKind.SERVICE, manifest.service, seconds=seconds), manifest.state or "running"
        )
    if manifest.file_version is not None:
        probe = Probe(ProbeKind.FILE_VERSION, manifest.file_version, seconds=seconds)
        return HealthCheck(probe, manifest.version or "")
    if manifest.port is not None:
        return HealthCheck(Probe(ProbeKind.PORT, str(manifest.port), seconds=seconds), "open")
    if manifest.http is not None:
        return HealthCheck(Probe(ProbeKind.HTTP, manifest.http, seconds=seconds), str(manifest.status or 200))
    assert manifest.command is not None
    return HealthCheck(Probe(ProbeKind.COMMAND, manifest.command, seconds=seconds), str(manifest.exit_code or 0))
