"""Tells whether what a step was for is so, from a look at the machine. Pure: an exit code plays no part here."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.agent.machine import Look
from reconciler.kernel.configuration import differing, leftovers
from reconciler.kernel.observation import Context, Facts, InstalledProduct, PatchState, ProductState
from reconciler.kernel.probes import ABSENT, Probe, same_version, version_in
from reconciler.kernel.releases import MsiRelease, PatchRelease, ProgramRelease
from reconciler.kernel.steps import Action, Step, Verb


def probes_of(step: Step) -> tuple[Probe, ...]:
    """Return what must be asked to tell whether a step has reached its goal."""
    asked = [check.probe for check in step.checks]
    for action in (*step.actions, *step.compensation):
        if isinstance(action.release, ProgramRelease):
            asked.append(action.release.detect)
        asked += [setting.probe for setting in (*action.settings, *action.leftovers)]
    return tuple({probe.key: probe for probe in asked}.values())


def shortfall_of_action(action: Action, facts: Facts) -> str:
    """Return what is missing for ``action`` to have done its work; empty where nothing is."""
    release = action.release
    if isinstance(release, ProgramRelease):
        return _program_differs(action, release, facts)
    match action.verb:
        case Verb.INSTALL | Verb.REINSTALL if isinstance(release, MsiRelease):
            return _not_there(release, facts.products)
        case Verb.REMOVE:
            return _not_gone(action.product_code, facts.products)
        case Verb.PATCH | Verb.UNPATCH if isinstance(release, PatchRelease):
            return _patch_differs(action, release, facts)
        case Verb.CONFIGURE:
            wrong = differing(action.settings, facts.by_probe)
            left = leftovers((), (action.leftovers,), facts.by_probe)
            return "; ".join(
                [f"{setting} is not as set" for setting in wrong] + [f"{item} is there" for item in left]
            )
        case _:
            return ""


def shortfall_of_step(step: Step, facts: Facts) -> str:
    """Return what is missing for ``step`` to have reached its goal; empty where nothing is.

    Of several actions on one product the last decides: a release may be removed to make room for another one with
    the same code.
    """
    last = {(action.product_code, action.verb in _ON_PATCHES): action for action in step.actions}
    missing = [shortfall_of_action(action, facts) for action in last.values()]
    missing += [_not_gone(code, facts.products) for code in step.removes if (code, False) not in last]
    return "; ".join(text for text in missing if text)


def is_there(release: MsiRelease | ProgramRelease, facts: Facts) -> bool:
    """Return whether ``release`` is installed for the machine."""
    if isinstance(release, ProgramRelease):
        return same_version(version_in(facts.by_probe.get(release.detect.key, ABSENT)), release.version)
    return not _not_there(release, facts.products)


_ON_PATCHES = frozenset({Verb.PATCH, Verb.UNPATCH})


def _program_differs(action: Action, release: ProgramRelease, facts: Facts) -> str:
    answer = facts.by_probe.get(release.detect.key, "not asked")
    if action.verb is Verb.REMOVE:
        return (
            "" if answer == ABSENT else f"{action.version} is still installed ({release.detect.key} is {answer})"
        )
    there = same_version(version_in(answer), release.version)
    return "" if there else f"{release.version} is not installed ({release.detect.key} is {answer})"


def _patch_differs(action: Action, release: PatchRelease, facts: Facts) -> str:
    found = [
        patch
        for patch in facts.patches
        if patch.patch_code == release.patch_code and patch.product_code == action.product_code
    ]
    if action.verb is Verb.PATCH:
        return "" if found else f"the patch {release.version} is not on {action.product_code}"
    applied = any(patch.state is PatchState.APPLIED for patch in found)
    return f"the patch {release.version} is still on {action.product_code}" if applied else ""


def _not_there(release: MsiRelease, products: Iterable[InstalledProduct]) -> str:
    found = _find(release.product_code, products)
    if found is None:
        return f"{release.product_code} {release.version} is not installed"
    if found.package_code is None:
        same = found.version == release.version
    else:
        same = found.package_code == release.package_code
    return "" if same else f"{release.product_code} is installed as {found.version}, not as {release.version}"


def _not_gone(product_code: str, products: Iterable[InstalledProduct]) -> str:
    found = _find(product_code, products)
    return f"{product_code} {found.version} is still installed" if found else ""


def _find(product_code: str, products: Iterable[InstalledProduct]) -> InstalledProduct | None:
    for product in products:
        if (
            product.product_code == product_code
            and product.context is Context.MACHINE
            and product.state is ProductState.INSTALLED
        ):
            return product
    return None


def new_reboot_signals(before: Look, after: Look) -> str:
    """Return what asks for a reboot since the step began, in words; empty where nothing does."""
    signals = [signal for signal in after.reboot_pending if signal not in before.reboot_pending]
    renames = [path for path in after.pending_renames if path not in before.pending_renames]
    if renames:
        signals.append(f"files in use are replaced at the next boot ({renames[0]})")
    return ", ".join(signals)
