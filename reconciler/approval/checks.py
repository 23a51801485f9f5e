"""Says which required checks have not passed: a check counts by its name and by who reported it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.approval.evidence import Change, CheckReport, CheckState
from reconciler.desired.approvals import ApprovalPolicy
from reconciler.desired.people import Identity, People, fold

_WORDS = {CheckState.FAILED: "has failed", CheckState.PENDING: "has not finished"}

OURSELVES = "app:reconciler"
"""Who reports the checks of changes that are reviewed here."""


def not_passed(policy: ApprovalPolicy, people: People, change: Change | None) -> Iterator[str]:
    """Give, in words, each required check that has not passed.

    Where the policy says who may report a check, only that report counts. Else any does, but those of people who
    have a part in the change: whoever can push may also set a status.

    Args:
        policy: what the environment demands.
        people: who is who.
        change: the change, ``None`` where the commit came by none.
    """
    for name in policy.checks:
        reason = _missing(name, policy.reporters_of(name), people, change)
        if reason:
            yield f"the check {name} {reason}"


def _missing(name: str, reporters: tuple[Identity, ...], people: People, change: Change | None) -> str:
    found = [report for report in _reports(change) if report.name == name]
    if change is None or not found:
        return "was never reported"
    if reporters:
        allowed = {people.who(by) for by in reporters}
        found = [report for report in found if allowed & {people.who(by) for by in report.by}]
        if not found:
            return f"was not reported by {' or '.join(reporters)}"
    bad = {report.state for report in found} - {CheckState.PASSED}
    if bad:
        return _WORDS[CheckState.FAILED if CheckState.FAILED in bad else CheckState.PENDING]
    if reporters:
        return ""
    involved = {people.who(by) for by in (change.requester, *change.authors, *change.pushers) if by}
    if any(report.by and not involved & {people.who(by) for by in report.by} for report in found):
        return ""
    named = sorted({fold(by) for report in found for by in report.by[:1]})
    who = f"{' and '.join(named)}, who has a part in the change" if named else "an account that is not known"
    return f"was reported by {who}: name who may report it under reporters"


def _reports(change: Change | None) -> tuple[CheckReport, ...]:
    if change is None:
        return ()
    if change.reports:
        return change.reports
    return tuple(CheckReport(name, state, (OURSELVES,)) for name, state in change.checks.items())
