"""The words in which status is told: two axes, sync and health, with reasons from a closed set."""

from __future__ import annotations

from enum import StrEnum


class Sync(StrEnum):
    """Whether a host has what it should have."""

    SYNCED = "Synced"
    OUT_OF_SYNC = "OutOfSync"
    UNKNOWN = "Unknown"


class Health(StrEnum):
    """How things go."""

    HEALTHY = "Healthy"
    PROGRESSING = "Progressing"
    DEGRADED = "Degraded"
    SUSPENDED = "Suspended"
    MISSING = "Missing"
    UNKNOWN = "Unknown"


class Reason(StrEnum):
    """Why a package or host stands where it does."""

    UP_TO_DATE = "UpToDate"
    STEP_DUE = "StepDue"
    STEP_RUNNING = "StepRunning"
    REBOOT_PENDING = "RebootPending"
    RETRY_BACKOFF = "RetryBackoff"
    RETRIES_EXHAUSTED = "RetriesExhausted"
    INSTALLER_BUSY = "InstallerBusy"
    ARTIFACT_REFUSED = "ArtifactRefused"
    ARTIFACT_UNAVAILABLE = "ArtifactUnavailable"
    HELD = "Held"
    AWAITING_CONFIRMATION = "AwaitingConfirmation"
    HALTED = "Halted"
    INSTALLED_PER_USER = "InstalledPerUser"
    UNKNOWN_NEWER_VERSION = "UnknownNewerVersion"
    NOT_APPLICABLE = "NotApplicable"
    NOT_KNOWN = "NotKnown"
    NOT_REMOVABLE = "NotRemovable"
    PATCH_NOT_REMOVABLE = "PatchNotRemovable"
    CHECK_FAILED = "CheckFailed"
    HOST_SILENT = "HostSilent"
    NEVER_REPORTED = "NeverReported"
    AWAITING_AGENT = "AwaitingAgent"
    QUARANTINED = "Quarantined"
    REPLACEMENT_PENDING = "ReplacementPending"
    UNAPPROVED = "Unapproved"
    REWRITTEN = "Rewritten"
    AWAITING_EVIDENCE = "AwaitingEvidence"
