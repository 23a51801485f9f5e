"""Makes an observation of a look: puts it in order, and adds what is remembered of reboots and of failures."""

from __future__ import annotations

from reconciler.agent.journal import Journal
from reconciler.agent.machine import Look
from reconciler.agent.state import AgentState
from reconciler.kernel.assignment import Assignment
from reconciler.kernel.observation import Observation


def observe(look: Look, assignment: Assignment | None, state: AgentState, journal: Journal) -> Observation:
    """Return what ``look`` showed, as it is decided by and reported.

    Args:
        look: the look.
        assignment: what the machine should have; only tries at its goals are told.
        state: what is remembered of the machine; the boot time that was seen goes there.
        journal: the attempts on the machine.
    """
    wanted = {goal.package: goal.fingerprint for goal in assignment.goals} if assignment else {}
    booted_at = state.settle_boot_time(look.booted_at) if look.booted_at else state.remembered.booted_at
    asked = state.remembered.reboot_asked
    return Observation(
        products=tuple(sorted(look.products, key=lambda p: (p.product_code, p.context, p.package_code or ""))),
        reboot_pending=(*look.reboot_pending, *((asked,) if asked else ())),
        booted_at=booted_at,
        system=look.system,
        reboot_asked_by=state.remembered.reboot_asked_by,
        tallies=tuple(t for t in journal.tallies if wanted.get(t.package) == t.goal),
        patches=tuple(sorted(look.patches, key=lambda p: (p.product_code, p.patch_code))),
        answers=look.answers,
    )
