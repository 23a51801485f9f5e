"""Finds what could be promoted from one environment to another, and what nobody should promote unasked. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.desired.catalog import Package
from reconciler.desired.model import ABSENT_TEXT, Absence, DesiredState, Wanted
from reconciler.planning.proposal import LeftOut


@dataclass(frozen=True, slots=True)
class Candidate:
    """A package that two environments want different versions of; ``before`` is ``None`` where none is named."""

    package: str
    before: Wanted | None
    after: Wanted


def candidate(desired: DesiredState, source: str, target: str, package: str) -> Candidate | None:
    """Return what promoting one package means, ``None`` where both environments want the same of it.

    Raises:
        KeyError: the source says nothing of the package.
    """
    after = desired.versions_of(source)[package]
    before = desired.versions_of(target).get(package)
    return Candidate(package, before, after) if before != after else None


def find_candidates(
    desired: DesiredState, source: str, target: str
) -> tuple[tuple[Candidate, ...], tuple[LeftOut, ...]]:
    """Find every package whose version differs.

    Returns:
        those that go up; and those that differ in other ways, which take somebody who asks for them by name.
    """
    ups: list[Candidate] = []
    others: list[LeftOut] = []
    for package in desired.versions_of(source):
        found = candidate(desired, source, target, package)
        if found is None:
            continue
        why = _objection(desired.packages[package], found, source, target)
        if why:
            before = text_of(found.before) if found.before is not None else None
            told = LeftOut(package, before, text_of(found.after), (f"{why}: ask for it by name",))
            others.append(told)
        else:
            ups.append(found)
    return tuple(ups), tuple(others)


def text_of(wanted: Wanted) -> str:
    """Return a wish as a file writes it."""
    return ABSENT_TEXT if isinstance(wanted, Absence) else wanted


def _objection(package: Package, found: Candidate, source: str, target: str) -> str:
    if found.before is None:
        return f"{target} does not name it"
    if isinstance(found.after, Absence):
        return f"{source} has it removed"
    if isinstance(found.before, Absence):
        return f"{target} has it removed"
    old, new = package.release(found.before), package.release(found.after)
    return (
        f"{target} is ahead of {source}" if old is not None and new is not None and new.order < old.order else ""
    )
