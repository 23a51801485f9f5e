"""Says whose approval a change needs before it counts: by environment, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.approval.entries import EntryBook, differing
from reconciler.desired.approvals import ApprovalPolicy
from reconciler.desired.model import DesiredState


@dataclass(frozen=True, slots=True)
class Need:
    """What an environment demands of a change that concerns it. ``members`` are those who may approve."""

    environment: str
    policy: ApprovalPolicy
    members: tuple[str, ...]

    @property
    def text(self) -> str:
        """What is demanded, in a line."""
        policy, parts = self.policy, []
        if policy.required:
            count = f"{policy.required} approval{'s' if policy.required > 1 else ''}"
            parts.append(f"{count} from {' or '.join(policy.groups)} ({', '.join(self.members)})")
        parts += [f"the check {name} must pass" for name in policy.checks]
        if policy.signed:
            parts.append("every commit must be signed")
        return f"{self.environment}: {'; '.join(parts)}"


def needs_of(before: DesiredState, after: DesiredState, placed: Mapping[str, str]) -> tuple[Need, ...]:
    """Return what the environments that a change concerns demand, by the rules that hold before it.

    Args:
        before: the desired state that it builds on.
        after: the one that it would come to.
        placed: the environment that each agent enrolled into, by host.
    """
    was, becomes = EntryBook(before, placed), EntryBook(after, placed)
    found = []
    for name in sorted({*before.environments, *after.environments}):
        policy = before.approvals_for(name)
        if not policy.demands_nothing and differing(was.of(name), becomes.of(name)):
            members = (member for group in policy.groups for member in before.groups.get(group, ()))
            found.append(Need(name, policy, tuple(dict.fromkeys(members))))
    return tuple(found)
