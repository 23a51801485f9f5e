"""Judges whether one commit may count for an environment: by a policy, on evidence. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.approval.checks import not_passed
from reconciler.approval.counting import refusal, rejections
from reconciler.approval.evidence import Approval, Evidence
from reconciler.desired.approvals import ApprovalPolicy
from reconciler.desired.people import People

_SHORT = 10


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of it. ``reasons`` say in words what is missing; none where it is approved.

    ``approvers`` are the persons whose approvals counted. ``emergency`` is why it passed without them, and is said
    wherever the commit is shown; empty where it did not.
    """

    approved: bool
    reasons: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    emergency: str = ""


def judge(policy: ApprovalPolicy, people: People, emergency_group: str, evidence: Evidence) -> Judgement:
    """Return whether a commit may count.

    Args:
        policy: what the environment demands.
        people: who is who.
        emergency_group: the group whose members may do without approvals; empty where nobody may.
        evidence: what is known of the commit.
    """
    if policy.demands_nothing:
        return Judgement(approved=True)
    reasons: list[str] = []
    if evidence.emergency:
        refusal = _emergency_refused(people, emergency_group, evidence)
        if not refusal:
            return Judgement(approved=True, approvers=(people.who(evidence.signer),), emergency=evidence.emergency)
        reasons.append(refusal)
    approvers, missing = _approvers(policy, people, evidence)
    reasons += missing
    reasons += not_passed(policy, people, evidence.change)
    if policy.signed:
        reasons += _unsigned(people, evidence)
    return Judgement(not reasons, tuple(reasons), approvers)


def _emergency_refused(people: People, group: str, evidence: Evidence) -> str:
    if not group:
        return "it claims an emergency, and reconciler.yaml names no group for that"
    if not evidence.signer:
        return f"it claims an emergency, and carries no good signature: a member of {group} must sign it"
    signer = people.who(evidence.signer)
    if signer not in people.members([group]):
        return f"it claims an emergency, and {signer}, who signed it, is not in {group}"
    return ""


def _approvers(policy: ApprovalPolicy, people: People, evidence: Evidence) -> tuple[tuple[str, ...], list[str]]:
    """Return whose approvals count, and why they do not suffice."""
    if not policy.required:
        return (), []
    change = evidence.change
    if change is None:
        return (), ["it was pushed straight to the branch: no change, so nobody approved it"]
    members = people.members(policy.groups)
    groups = " or ".join(policy.groups)
    counted: dict[str, Approval] = {}
    refused: dict[str, str] = {}
    for approval in change.approvals:
        person = people.who(approval.by)
        why = refusal(policy, people, evidence, change, approval)
        if not why and person not in members:
            why = f"{person} approved it, and is not in {groups}"
        if why:
            refused.setdefault(person, why)
        else:
            counted.setdefault(person, approval)
    reasons = list(rejections(people, members, change))
    if len(counted) < policy.required:
        by = f" (by {', '.join(counted)})" if counted else ""
        wanted = f"{policy.required} approval{'s' if policy.required > 1 else ''} from {groups}"
        reasons.append(f"{wanted} required, {len(counted)} given{by}")
        reasons += [why for person, why in refused.items() if person not in counted]
    return tuple(counted), reasons


def _unsigned(people: People, evidence: Evidence) -> Iterator[str]:
    if evidence.unsigned:
        yield f"{evidence.unsigned[0][:_SHORT]} carries no good signature, and every commit must be signed"
    strangers = sorted({by for by in evidence.signers if not people.is_known(by)})
    if strangers:
        yield f"it is signed with {strangers[0]}, a key of nobody under people in reconciler.yaml"
