"""What there is to point out about a release that is added. Refuses nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from reconciler.desired.catalog import Package
from reconciler.kernel.releases import MsiRelease
from reconciler.operations.cataloguing.candidate import Candidate

Built = Callable[[MsiRelease], float | None]
"""Gives when a release's MSI was built, in seconds since the epoch, where that is known."""


class NoticeKind(StrEnum):
    """What there is to point out about a release."""

    NAMED_AFTER_PRODUCT = "namedAfterProduct"
    PROPERTIES_TAKEN_OVER = "propertiesTakenOver"
    VERSION_WENT_DOWN = "versionWentDown"
    OTHER_FILE_NAME = "otherFileName"
    TRANSFORM_OF_ANOTHER = "transformOfAnother"
    NOT_APPLIED = "notApplied"
    VERSION_FROM_FILE = "versionFromFile"
    NOT_REMOVABLE = "notRemovable"
    PAST_PROMOTION = "pastPromotion"
    SIGNATURE_MISSING = "signatureMissing"
    SIGNER_CHANGED = "signerChanged"
    SIGNATURE_UNTRUSTED = "signatureUntrusted"
    SIGNATURE_UNCHECKED = "signatureUnchecked"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should look at, though it is no reason to refuse. ``where`` is a file or a place."""

    where: str
    kind: NoticeKind
    message: str


def point_out(
    candidate: Candidate, release: MsiRelease, known: Package, before: MsiRelease | None, built: Built
) -> Iterator[Notice]:
    """Yield what is likely a mistake in how a release was built, or easily overlooked.

    Args:
        candidate: what the release is made from.
        release: the release.
        known: the package before it was added.
        before: the release that precedes it.
        built: gives when a release's MSI was built.
    """
    where = str(candidate.file)
    for other in known.msi_releases:
        low, high = (release, other) if release.three_fields < other.three_fields else (other, release)
        yield from _went_down(low, high, built, where)
        if other.product_code == release.product_code:
            yield from _renamed(other, candidate, where)
    for path, _, transform in candidate.transforms:
        made_for = transform.upgrade_code or transform.product_code
        if made_for not in (None, candidate.identity.upgrade_code, candidate.identity.product_code):
            message = f"the transform was made for another product ({made_for})"
            yield Notice(str(path), NoticeKind.TRANSFORM_OF_ANOTHER, message)
    if before is not None and (before.properties or before.features):
        taken = [name for name, _ in before.properties] + [f"the feature {name}" for name in before.features]
        names = ", ".join(taken)
        message = f"took over {names} from {before.version}: check that the new release wants them as well"
        yield Notice(where, NoticeKind.PROPERTIES_TAKEN_OVER, message)


def _went_down(low: MsiRelease, high: MsiRelease, built: Built, where: str) -> Iterator[Notice]:
    if low.product_code == high.product_code or low.three_fields == high.three_fields:
        return
    built_low, built_high = built(low), built(high)
    if built_low is not None and built_high is not None and built_low > built_high:
        message = (
            f"{low.version} is lower than {high.version}, though its file is newer: Windows takes a host from "
            f"{high.version} to it by removal only. Was its version meant to be higher?"
        )
        yield Notice(where, NoticeKind.VERSION_WENT_DOWN, message)


def _renamed(other: MsiRelease, candidate: Candidate, where: str) -> Iterator[Notice]:
    """A minor update that is called otherwise than what it updates may not find its source.

    Source: learn.microsoft.com/windows/win32/msi/changing-the-product-code ("the name of the .msi file has been
    changed")
    """
    name = other.artifact.file_name
    if name.lower() != candidate.file.name.lower():
        message = (
            f"{other.version} has the same ProductCode, but its file is called {name}: a minor update needs the "
            "file name of what it updates"
        )
        yield Notice(where, NoticeKind.OTHER_FILE_NAME, message)
