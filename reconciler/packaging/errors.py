"""What can go wrong when a package is built, in words for a person."""

from __future__ import annotations

from reconciler.kernel.errors import ReconcilerError


class PackagingUnavailable(ReconcilerError):
    """Packages cannot be built here for what is missing on this machine; the hint says how to get it."""

    reference = "packaging-unavailable"


class PackageBuildFailed(ReconcilerError):
    """An MSI could not be built, or what was built is not what was declared."""

    reference = "package-build-failed"
