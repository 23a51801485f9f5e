"""What can go wrong in the lab, in words for a person."""

from __future__ import annotations

from reconciler.kernel.errors import ReconcilerError


class LabError(ReconcilerError):
    """The lab could not do what it was asked."""

    reference = "lab"


class LabUnavailable(LabError):
    """Lab hosts need what is missing on this machine; the hint says how to get it."""

    reference = "lab-unavailable"


class LabTimeout(LabError):
    """A command on a lab host did not end in time; it has been ended."""

    reference = "lab-timeout"
