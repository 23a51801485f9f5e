"""Tells whether the machine has room for a step and for putting back what it takes away. Pure."""

from __future__ import annotations

from reconciler.agent.machine import ArtifactUnavailable, Look
from reconciler.kernel.releases import Release
from reconciler.kernel.steps import Step

_SPARE_BYTES = 200 * 1024 * 1024


def check_room(step: Step, before: Look) -> None:
    """Begin nothing that takes something away where there may be no room to put it back.

    Raises:
        ArtifactUnavailable: the disk is too full.
    """
    needed = _SPARE_BYTES + 2 * sum(_size(release) for release in step.artifacts)
    if step.compensation and before.free_bytes is not None and before.free_bytes < needed:
        raise ArtifactUnavailable(
            f"only {before.free_bytes // 1024**2} MiB are free, and going back to {step.to_version} takes up to "
            f"{needed // 1024**2} MiB; nothing was run",
            hint="make room on the system's drive",
        )


def _size(release: Release) -> int:
    return sum(artifact.size for artifact in release.artifacts)
