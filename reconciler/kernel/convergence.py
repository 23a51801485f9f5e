"""Decides what a host should do next: assignment and observation in, one step out. Touches nothing.

The command table this follows stands in Microsoft's "Patching and Upgrades"
(learn.microsoft.com/windows/win32/msi/patching-and-upgrades): a minor update keeps the ProductCode and needs
REINSTALL, a major upgrade has a new one, and versions are compared in three fields only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from reconciler.kernel.assignment import Assignment, Goal, Hold
from reconciler.kernel.attempts import CHARGED, Outcome, Tally, next_try_at
from reconciler.kernel.identity import InvalidIdentity, ThreeFields, three_fields
from reconciler.kernel.observation import Context, InstalledProduct, Observation, ProductState
from reconciler.kernel.releases import Release
from reconciler.kernel.status import Health, Reason, Sync
from reconciler.kernel.steps import Action, Step, StepKind, Verb


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one package stands on one host, and the step that would bring it on.

    ``step`` is what the package needs, whether or not it may start now; ``ready`` says that it may.
    ``not_before`` is when a step that waits for time may start, in seconds since the epoch.
    """

    package: str
    sync: Sync
    health: Health
    reason: Reason
    installed: str | None
    wanted: str | None
    message: str = ""
    step: Step | None = None
    ready: bool = False
    not_before: float | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What `converge` found: a standing for each package assigned, in order, and the one step to take now."""

    standings: tuple[Standing, ...]
    step: Step | None
    look_again_at: float | None


def converge(assignment: Assignment, observed: Observation, now: float) -> Decision:
    """Decide the next step on a host. Pure: the same arguments give the same decision.

    Args:
        assignment: what the host should have.
        observed: what it has, and how often its present goals were tried in vain.
        now: seconds since the epoch.

    Returns:
        a standing per package; the first step that may start now, if any; and when to look again though
        nothing else happens.
    """
    hold = assignment.hold if assignment.hold is not None and assignment.hold.holds(now) else None
    tallies = {tally.package: tally for tally in observed.tallies}
    families = group_families(assignment.goals, observed.products)
    standings = tuple(
        _standing(goal, families[goal.package], tallies.get(goal.package), observed, now)
        for goal in assignment.goals
    )
    if hold is not None:
        standings = tuple(_held(standing, hold) for standing in standings)
    step = next((s.step for s in standings if s.ready), None)
    waits = [s.not_before for s in standings if s.not_before is not None]
    return Decision(standings, step, min(waits, default=None))


def group_families(
    goals: Iterable[Goal], products: Iterable[InstalledProduct]
) -> dict[str, tuple[InstalledProduct, ...]]:
    """Return the installed products of each goal's family, by package name.

    A product belongs to a family by its upgrade code, or by a product code that the catalog knows; names play
    no part, since they carry versions and change.
    """
    goals = tuple(goals)
    by_upgrade_code = {goal.upgrade_code: goal.package for goal in goals}
    by_product_code = {release.product_code: goal.package for goal in goals for release in goal.releases}
    families: dict[str, list[InstalledProduct]] = {goal.package: [] for goal in goals}
    for product in products:
        if product.state is not ProductState.INSTALLED:
            continue
        package = by_upgrade_code.get(product.upgrade_code or "") or by_product_code.get(product.product_code)
        if package is not None:
            families[package].append(product)
    return {package: tuple(found) for package, found in families.items()}


def needed_step(goal: Goal, family: tuple[InstalledProduct, ...]) -> Step | None:
    """Return the step that takes ``family`` to ``goal``, or ``None`` where it is already there.

    Args:
        goal: what is wanted of one package.
        family: what is installed of it, per machine.
    """
    if goal.target is None:
        return _removal(goal, family) if family else None
    target = goal.target
    if any(_is_release(product, target) for product in family):
        extras = tuple(product for product in family if not _is_release(product, target))
        return _removal(goal, extras) if extras else None
    return _change(goal, target, family)


def _removal(goal: Goal, products: tuple[InstalledProduct, ...]) -> Step:
    return Step(
        kind=StepKind.REMOVE,
        package=goal.package,
        from_version=_highest(products).version,
        to_version=None,
        actions=tuple(_remove(goal, product) for product in products),
        removes=tuple(product.product_code for product in products),
    )


def _change(goal: Goal, target: Release, family: tuple[InstalledProduct, ...]) -> Step:
    """Choose the command by what is installed: the target is known not to be."""
    wanted = target.three_fields
    older = tuple(p for p in family if _fields(p) < wanted)
    not_older = tuple(p for p in family if _fields(p) >= wanted)
    same_code = next((p for p in family if p.product_code == target.product_code), None)
    install = Action(Verb.INSTALL, target.product_code, target.version, target)
    update = Action(Verb.REINSTALL, target.product_code, target.version, target)
    removed: tuple[InstalledProduct, ...] = ()
    kind: StepKind
    actions: tuple[Action, ...]

    if not family:
        kind, actions = StepKind.INSTALL, (install,)
    elif same_code is not None and _fields(same_code) <= wanted and all(p is same_code for p in not_older):
        kind, actions = StepKind.MINOR_UPDATE, (update,)
    elif not not_older:
        kind, actions = StepKind.MAJOR_UPGRADE, (install,)
    else:
        downgrade = any(_fields(p) > wanted for p in not_older)
        kind = StepKind.ROLL_BACK if downgrade else StepKind.REPLACE
        removed = not_older
        actions = (*(_remove(goal, p) for p in removed), update if same_code in older else install)

    putting_back = tuple(
        Action(Verb.INSTALL, p.product_code, p.version, release)
        for p in removed
        if (release := _known(goal, p)) is not None
    )
    # Only a first install takes older members of the family away; what an update leaves, the next step removes.
    taken = (*removed, *older) if install in actions else removed
    gone = tuple(p.product_code for p in taken if p.product_code != target.product_code)
    from_version = _highest(family).version if family else None
    return Step(kind, goal.package, from_version, target.version, actions, putting_back, gone)


def _standing(
    goal: Goal, family: tuple[InstalledProduct, ...], tally: Tally | None, observed: Observation, now: float
) -> Standing:
    installed = ", ".join(sorted(product.version for product in family)) or None
    wanted = goal.target.version if goal.target else None
    step = needed_step(goal, family)
    if step is None and observed.reboot_asked_by == goal.package:
        # A silent upgrade has been seen to return 3010 and to roll back at the boot: not before that is it so.
        waits = "it asked for a reboot, and is looked at again after that"
        return Standing(
            goal.package, Sync.UNKNOWN, Health.PROGRESSING, Reason.REBOOT_PENDING, installed, wanted, waits
        )
    if step is None:
        return Standing(goal.package, Sync.SYNCED, Health.HEALTHY, Reason.UP_TO_DATE, installed, wanted)

    health = Health.MISSING if not family else Health.PROGRESSING
    tally = tally if tally is not None and tally.goal == goal.fingerprint else None
    obstacle = _obstacle(goal, family, step)
    not_before: float | None = None
    ready = False
    message = tally.message if tally else ""
    if obstacle is not None:
        reason, message = obstacle
        health = Health.SUSPENDED if reason is Reason.AWAITING_CONFIRMATION else Health.DEGRADED
    elif observed.reboot_pending:
        reason, message = Reason.REBOOT_PENDING, "a reboot is pending: " + ", ".join(observed.reboot_pending)
    elif tally is not None and (due := next_try_at(tally)) is None:
        reason, health = Reason.RETRIES_EXHAUSTED, Health.DEGRADED
    elif tally is not None and due is not None and due > now:
        reason, not_before = _waiting_reason(tally), due
        health = Health.DEGRADED if tally.failures else health
    else:
        reason, ready = Reason.STEP_DUE, True
        health = Health.DEGRADED if tally is not None and tally.failures else health
    return Standing(
        goal.package, Sync.OUT_OF_SYNC, health, reason, installed, wanted, message, step, ready, not_before
    )


def _held(standing: Standing, hold: Hold) -> Standing:
    """Let nothing start; what is in order stays in order."""
    if standing.step is None:
        return standing
    return replace(
        standing,
        health=Health.SUSPENDED,
        reason=Reason.HELD,
        message=f"held: {hold.reason}",
        ready=False,
        not_before=hold.until,
    )


def _obstacle(goal: Goal, family: tuple[InstalledProduct, ...], step: Step) -> tuple[Reason, str] | None:
    """Find what no retry can mend: a person must decide."""
    if goal.awaits:
        return Reason.AWAITING_CONFIRMATION, goal.awaits
    for product in family:
        if product.context is Context.USER:
            return (
                Reason.INSTALLED_PER_USER,
                f"{product.version} is installed for a user, and an upgrade never crosses contexts: "
                f"uninstall {product.product_code} in that user's session first",
            )
    if step.kind in (StepKind.ROLL_BACK, StepKind.REPLACE):
        for product in family:
            if product.product_code in {a.product_code for a in step.actions if a.verb is Verb.REMOVE} and (
                _known(goal, product) is None
            ):
                return (
                    Reason.UNKNOWN_NEWER_VERSION,
                    f"{product.version} ({product.product_code}) is in no catalog, so it could not be put back "
                    f"if going to {step.to_version} failed: import its MSI, or remove it by hand",
                )
    return None


def _waiting_reason(tally: Tally) -> Reason:
    if tally.last_outcome is Outcome.WAITED:
        return Reason.INSTALLER_BUSY
    if tally.last_outcome is Outcome.ARTIFACT_REFUSED:
        return Reason.ARTIFACT_REFUSED
    if tally.last_outcome not in CHARGED:
        return Reason.ARTIFACT_UNAVAILABLE
    return Reason.RETRY_BACKOFF


def _is_release(product: InstalledProduct, release: Release) -> bool:
    if product.product_code != release.product_code:
        return False
    if product.package_code is None:
        return product.version == release.version
    return product.package_code == release.package_code


def _known(goal: Goal, product: InstalledProduct) -> Release | None:
    return goal.release_of(product.product_code, product.package_code, product.version)


def _remove(goal: Goal, product: InstalledProduct) -> Action:
    return Action(Verb.REMOVE, product.product_code, product.version, _known(goal, product))


def _fields(product: InstalledProduct) -> ThreeFields:
    """Versions come from hosts, so one that Windows would never have accepted counts as the lowest."""
    try:
        return three_fields(product.version)
    except InvalidIdentity:
        return (0, 0, 0)


def _highest(products: tuple[InstalledProduct, ...]) -> InstalledProduct:
    return max(products, key=_fields)
