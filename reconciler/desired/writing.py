"""Writes values that are new to a file: which keys a release has, in which order, and what is put in quotes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import LiteralScalarString, SingleQuotedScalarString

from reconciler.desired.catalog import ReleaseDetails
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.releases import MsiRelease, PatchRelease, ProgramRelease

_SURELY_TEXT = re.compile(
    r"[0-9]+(\.[0-9]+){2,3}"  # a version with three or four fields; with two it is a number to other readers
    r"|(?=.*[a-df])[0-9a-f]{64}"
    r"|https?://[\w.-]+(/[\w./-]*)?"
    r"|(?!(?:true|false|null|yes|no|on|off|y|n)$)[A-Za-z][\w .\\-]*",
    re.IGNORECASE,
)
_LINES = re.compile(r"(?! )(?:[^\n\r\t]*[^\n\r\t ]\n|\n)+(?<!\n\n)")
"""Text that a block of lines can hold as it is."""


FileRelease = MsiRelease | PatchRelease | ProgramRelease
"""A release that is one file to be installed."""


def release_entry(release: FileRelease, details: ReleaseDetails | None = None) -> dict[str, Any]:
    """Return a release as a catalog file has it, without keys that would say nothing.

    Args:
        release: the release.
        details: what else is to be said of it.
    """
    details = details or ReleaseDetails()
    artifact = _file_entry(release.artifact, details.sources)
    entry: dict[str, Any] = {"version": release.version}
    match release:
        case MsiRelease():
            sources = details.transform_sources or ((),) * len(release.transforms)
            entry |= {
                "productCode": release.product_code,
                "packageCode": release.package_code,
                "architecture": details.architecture.value if details.architecture is not None else None,
                "artifact": artifact,
                "properties": dict(release.properties),
                "features": list(release.features),
                "transforms": [_file_entry(*pair) for pair in zip(release.transforms, sources, strict=True)],
            }
        case PatchRelease():
            entry |= {
                "patchCode": release.patch_code,
                "targets": list(release.targets),
                "removable": release.removable,
                "artifact": artifact,
                "properties": dict(release.properties),
            }
        case ProgramRelease():
            entry |= {"artifact": artifact, "arguments": release.arguments}
    entry |= {"expectsReboot": release.reboot_expected, "issue": details.issue, "notes": details.notes}
    return {key: value for key, value in entry.items() if value}


def written(value: Any) -> Any:
    """Return plain data as it is to be written: in quotes where any reader might take text for something else."""
    if isinstance(value, Mapping):
        return CommentedMap((key, written(item)) for key, item in value.items())
    if isinstance(value, list):
        return CommentedSeq(written(item) for item in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) or _SURELY_TEXT.fullmatch(value):
        return str(value)
    if _LINES.fullmatch(value):
        return LiteralScalarString(value)
    return SingleQuotedScalarString(value)


def _file_entry(artifact: Artifact, sources: tuple[str, ...]) -> dict[str, Any]:
    entry: dict[str, Any] = {"sha256": artifact.sha256, "size": artifact.size, "file": artifact.file_name}
    if sources:
        entry["sources"] = list(sources)
    if artifact.signer:
        entry["signer"] = artifact.signer
    return entry
