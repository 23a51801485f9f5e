"""Products of Windows Installer: which command takes what is installed to what is wanted. Pure.

The command table this follows stands in Microsoft's "Patching and Upgrades"
(learn.microsoft.com/windows/win32/msi/patching-and-upgrades): a minor update keeps the ProductCode and needs
REINSTALL, a major upgrade has a new one, and versions are compared in three fields only.
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.kernel.agent_package import AGENT_UPGRADE_CODE
from reconciler.kernel.assignment import Goal
from reconciler.kernel.identity import InvalidIdentity, ThreeFields, three_fields
from reconciler.kernel.kinds.finding import Finding, Obstacle
from reconciler.kernel.observation import Context, InstalledProduct, ProductState
from reconciler.kernel.releases import MsiRelease, PackageKind
from reconciler.kernel.status import Reason
from reconciler.kernel.steps import Action, Step, StepKind, Verb


def find_product(goal: Goal, family: tuple[InstalledProduct, ...]) -> Finding:
    """Return what a host has of a product family, and the step that it takes.

    Args:
        goal: what is wanted of one package.
        family: what is installed of it.
    """
    installed = ", ".join(sorted(product.version for product in family)) or None
    step = needed_step(goal, family)
    return Finding(installed, step, _obstacle(goal, family, step) if step is not None else None)


def group_families(
    goals: Iterable[Goal], products: Iterable[InstalledProduct]
) -> dict[str, tuple[InstalledProduct, ...]]:
    """Return the installed products of each MSI goal's family, by package name.

    A product belongs to a family by its upgrade code, or by a product code that the catalog knows; names play
    no part, since they carry versions and change.
    """
    goals = tuple(goals)
    by_upgrade_code = {goal.upgrade_code: goal.package for goal in goals if goal.kind is PackageKind.MSI}
    by_product_code = {release.product_code: goal.package for goal in goals for release in goal.msi_releases}
    families: dict[str, list[InstalledProduct]] = {
        goal.package: [] for goal in goals if goal.kind is PackageKind.MSI
    }
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
    target = goal.target
    if not isinstance(target, MsiRelease):
        return _removal(goal, family) if family else None
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
        sources=_sources(goal, products),
    )


def _change(goal: Goal, target: MsiRelease, family: tuple[InstalledProduct, ...]) -> Step:
    """Choose the command by what is installed: the target is known not to be."""
    wanted = target.three_fields
    older = tuple(p for p in family if _fields(p) < wanted)
    not_older = tuple(p for p in family if _fields(p) >= wanted)
    same_code = next((p for p in family if p.product_code == target.product_code), None)
    seconds = goal.practice.seconds
    install = Action(Verb.INSTALL, target.product_code, target.version, target, seconds=seconds)
    update = Action(Verb.REINSTALL, target.product_code, target.version, target, seconds=seconds)
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
        if goal.upgrade_code == AGENT_UPGRADE_CODE:
            actions = (install,)  # an agent takes every other one away by itself, and none could do the rest
        else:
            removed = not_older
            actions = (*(_remove(goal, p) for p in removed), update if same_code in older else install)

    putting_back = tuple(
        Action(Verb.INSTALL, p.product_code, p.version, release, seconds=seconds)
        for p in removed
        if (release := _known(goal, p)) is not None
    )
    # Only a first install takes older members of the family away; what an update leaves, the next step removes.
    taken = family if actions == (install,) else (*removed, *older) if install in actions else removed
    gone = tuple(p.product_code for p in taken if p.product_code != target.product_code)
    from_version = _highest(family).version if family else None
    return Step(
        kind,
        goal.package,
        from_version,
        target.version,
        actions,
        putting_back,
        gone,
        sources=_sources(goal, family),
    )


def _obstacle(goal: Goal, family: tuple[InstalledProduct, ...], step: Step) -> Obstacle | None:
    for product in family:
        if product.context is Context.USER:
            return Obstacle(
                Reason.INSTALLED_PER_USER,
                f"{product.version} is installed for a user, and an upgrade never crosses contexts: "
                f"uninstall {product.product_code} in that user's session first",
            )
    if step.kind not in (StepKind.ROLL_BACK, StepKind.REPLACE):
        return None
    removed = {action.product_code for action in step.actions if action.verb is Verb.REMOVE}
    for product in family:
        if product.product_code in removed and _known(goal, product) is None:
            return Obstacle(
                Reason.UNKNOWN_NEWER_VERSION,
                f"{product.version} ({product.product_code}) is in no catalog, so it could not be put back "
                f"if going to {step.to_version} failed: import its MSI, or remove it by hand",
            )
    return None


def _is_release(product: InstalledProduct, release: MsiRelease) -> bool:
    if product.product_code != release.product_code:
        return False
    if product.package_code is None:
        return product.version == release.version
    return product.package_code == release.package_code


def _known(goal: Goal, product: InstalledProduct) -> MsiRelease | None:
    return goal.release_of(product.product_code, product.package_code, product.version)


def _remove(goal: Goal, product: InstalledProduct) -> Action:
    release = _known(goal, product)
    return Action(Verb.REMOVE, product.product_code, product.version, release, seconds=goal.practice.seconds)


def _sources(goal: Goal, products: Iterable[InstalledProduct]) -> tuple[MsiRelease, ...]:
    """Return the releases that are installed: their files can mend a source that Windows Installer has lost."""
    known = (_known(goal, product) for product in products)
    return tuple(release for release in known if release is not None)


def _fields(product: InstalledProduct) -> ThreeFields:
    """Versions come from hosts, so one that Windows would never have accepted counts as the lowest."""
    try:
        return three_fields(product.version)
    except InvalidIdentity:
        return (0, 0, 0)


def _highest(products: tuple[InstalledProduct, ...]) -> InstalledProduct:
    return max(products, key=_fields)
