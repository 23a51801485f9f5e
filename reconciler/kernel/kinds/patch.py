"""Patches of Windows Installer products: applied to every product that they are for and that is there. Pure.

Source: learn.microsoft.com/windows/win32/msi/patching and …/msi/removing-patches
"""

from __future__ import annotations

from reconciler.kernel.assignment import Goal
from reconciler.kernel.kinds.finding import Finding, Obstacle
from reconciler.kernel.observation import Context, Facts, InstalledPatch, PatchState, ProductState
from reconciler.kernel.releases import MsiRelease, PatchRelease
from reconciler.kernel.status import Reason
from reconciler.kernel.steps import Action, Step, StepKind, Verb


def find_patch(goal: Goal, goals: tuple[Goal, ...], facts: Facts) -> Finding:
    """Return which patches of a package are on a host, and the step that it takes.

    A patch that cannot be taken off is got rid of by installing its product anew without it, where a goal knows
    that product's MSI.

    Args:
        goal: what is wanted of one package of patches.
        goals: all that the host should have.
        facts: what it has.
    """
    target = goal.target if isinstance(goal.target, PatchRelease) else None
    known = {release.patch_code: release for release in goal.releases if isinstance(release, PatchRelease)}
    there = {
        product.product_code: product.version
        for product in facts.products
        if product.context is Context.MACHINE and product.state is ProductState.INSTALLED
    }
    ours = tuple(patch for patch in facts.patches if patch.patch_code in known and patch.product_code in there)
    applied = tuple(patch for patch in ours if patch.state is PatchState.APPLIED)
    installed = ", ".join(sorted({known[patch.patch_code].version for patch in applied})) or None
    subjects = [code for code in target.targets if code in there] if target else []
    if target is not None and not subjects:
        return Finding(installed, message="none of the products it is for is installed", applies=False)

    unwanted = tuple(patch for patch in applied if target is None or _is_newer(known[patch.patch_code], target))
    if unwanted:
        return _taking_off(goal, goals, unwanted, known, installed)
    if target is None:
        return Finding(installed)
    lacking = [
        code
        for code in subjects
        if not any(patch.patch_code == target.patch_code and patch.product_code == code for patch in ours)
    ]
    if not lacking:
        return Finding(installed)
    seconds = goal.practice.seconds
    # One run applies a patch to every product that it is for.
    actions = (Action(Verb.PATCH, lacking[0], target.version, target, seconds=seconds),)
    return Finding(installed, Step(StepKind.PATCH, goal.package, installed, target.version, actions))


def _taking_off(
    goal: Goal,
    goals: tuple[Goal, ...],
    unwanted: tuple[InstalledPatch, ...],
    known: dict[str, PatchRelease],
    installed: str | None,
) -> Finding:
    seconds = goal.practice.seconds
    actions: list[Action] = []
    for patch in unwanted:
        release = known[patch.patch_code]
        if release.removable and patch.removable:
            actions.append(Action(Verb.UNPATCH, patch.product_code, release.version, release, seconds=seconds))
            continue
        product = _msi_of(goals, patch.product_code)
        if product is None:
            return Finding(
                installed,
                _step(goal, installed, ()),
                Obstacle(
                    Reason.PATCH_NOT_REMOVABLE,
                    f"the patch {release.version} cannot be taken off {patch.product_code}, and no package names "
                    "that product: uninstall the product by hand and install it again without the patch",
                ),
            )
        actions.append(Action(Verb.REMOVE, product.product_code, product.version, product, seconds=seconds))
        actions.append(Action(Verb.INSTALL, product.product_code, product.version, product, seconds=seconds))
    return Finding(installed, _step(goal, installed, tuple(actions)))


def _step(goal: Goal, installed: str | None, actions: tuple[Action, ...]) -> Step:
    removed = tuple(action for action in actions if action.verb is Verb.REMOVE)
    compensation = tuple(
        Action(Verb.INSTALL, action.product_code, action.version, action.release, seconds=action.seconds)
        for action in removed
    )
    kind = StepKind.ROLL_BACK if goal.target is not None else StepKind.REMOVE
    to_version = goal.target.version if goal.target is not None else None
    return Step(kind, goal.package, installed, to_version, actions, compensation)


def _msi_of(goals: tuple[Goal, ...], product_code: str) -> MsiRelease | None:
    releases = (release for goal in goals for release in goal.msi_releases)
    return next((release for release in releases if release.product_code == product_code), None)


def _is_newer(release: PatchRelease, target: PatchRelease) -> bool:
    return release.order > target.order
