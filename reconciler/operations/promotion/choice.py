"""Chooses what is promoted: the versions that differ upstream and are verified, or whose check is waived."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.desired.model import Absence
from reconciler.desired.suggestions import closest
from reconciler.kernel.errors import ReconcilerError
from reconciler.operations.fleet import known_hosts
from reconciler.operations.promotion.basis import Basis, CannotPromote
from reconciler.operations.promotion.branches import open_proposals
from reconciler.operations.promotion.evidence import verification
from reconciler.planning.candidates import Candidate, candidate, find_candidates, text_of
from reconciler.planning.proposal import LeftOut, Promoted

MOST_REASONS = 20
"""How many reasons against a release are told in an error."""


class NotVerified(ReconcilerError):
    """Releases that are not verified upstream."""

    reference = "not-verified"


def choose(
    basis: Basis, packages: tuple[str, ...], *, waived: bool
) -> tuple[tuple[Promoted, ...], tuple[LeftOut, ...]]:
    """Return what is promoted, and what is not though it differs upstream.

    Args:
        basis: what the promotion is worked out on.
        packages: those that are asked for; none for all that is verified and goes up.
        waived: whether what is not verified goes on as well.

    Raises:
        CannotPromote: the source says nothing of a package that is asked for.
        NotVerified: one that is asked for is not verified; or of several that differ, none is.
    """
    left_out: tuple[LeftOut, ...] = ()
    if packages:
        asked = {package: _named(basis, package) for package in packages}
        # In the order of the source's file: the same packages make the same proposal, however they are given.
        ordered = (asked.get(package) for package in basis.desired.versions_of(basis.source))
        judged = _judged(basis, (found for found in ordered if found is not None))
    else:
        candidates, left_out = find_candidates(basis.desired, basis.source, basis.target)
        judged = _judged(basis, candidates)
    doubtful = tuple(item for item in judged if not item.verification.verified)
    if doubtful and not waived and (packages or len(doubtful) == len(judged)):
        raise _not_verified(basis, doubtful)
    if waived:
        return judged, left_out
    told = (
        LeftOut(d.package, d.before, d.after, (*d.verification.reasons, *_waiting(basis, (d,)))) for d in doubtful
    )
    return tuple(item for item in judged if item.verification.verified), (*left_out, *told)


def _named(basis: Basis, package: str) -> Candidate | None:
    try:
        return candidate(basis.desired, basis.source, basis.target, package)
    except KeyError as error:
        known = list(basis.desired.versions_of(basis.source))
        near = closest(package, known)
        raise CannotPromote(
            f"{basis.source} says nothing of {package}",
            hint=f"did you mean {near}?" if near else f"it names: {', '.join(known) or 'nothing'}",
        ) from error


def _judged(basis: Basis, candidates: Iterable[Candidate]) -> tuple[Promoted, ...]:
    soak = basis.desired.environments[basis.target].soak
    hosts = known_hosts(basis.site, basis.desired)
    judged: list[Promoted] = []
    for found in candidates:
        version = None if isinstance(found.after, Absence) else found.after
        evidence = verification(basis.site, hosts, basis.source, (found.package, version), soak)
        before = text_of(found.before) if found.before is not None else None
        judged.append(Promoted(found.package, before, text_of(found.after), evidence))
    return tuple(judged)


def _not_verified(basis: Basis, doubtful: Iterable[Promoted]) -> NotVerified:
    doubtful = tuple(doubtful)
    lines: list[str] = []
    for item in doubtful:
        reasons = item.verification.reasons
        lines.append(f"{item.package} {item.after} is not verified in {basis.source}")
        lines += [f"  {reason}" for reason in reasons[:MOST_REASONS]]
        lines += [f"  and {len(reasons) - MOST_REASONS} more"] if len(reasons) > MOST_REASONS else []
    hint = 'wait until it is, or name each with --package and say why it cannot wait: --unverified "reason"'
    lines += _waiting(basis, doubtful)
    return NotVerified(lines[0], hint=hint, details=lines[1:])


def _waiting(basis: Basis, doubtful: Iterable[Promoted]) -> tuple[str, ...]:
    """Warn of proposals, made while it may have been verified, of what is not verified now."""
    versions = {item.package: item.after for item in doubtful}
    return tuple(
        f"{', '.join(sorted(both))} is proposed on {name}: do not merge that now"
        for name, proposed in (open_proposals(basis) if versions else {}).items()
        if (both := {package for package, version in proposed.items() if versions.get(package) == version})
    )
