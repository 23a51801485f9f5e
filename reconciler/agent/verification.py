"""Tells whether what a step was for is so, from a look at the machine. Pure: an exit code plays no part here."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.kernel.observation import Context, InstalledProduct, ProductState
from reconciler.kernel.releases import Release
from reconciler.kernel.steps import Action, Step, Verb


def shortfall_of_action(action: Action, products: Iterable[InstalledProduct]) -> str:
    """Return what is missing for ``action`` to have done its work; empty where nothing is."""
    if action.verb is Verb.REMOVE or action.release is None:
        return _not_gone(action.product_code, products)
    return _not_there(action.release, products)


def shortfall_of_step(step: Step, products: Iterable[InstalledProduct]) -> str:
    """Return what is missing for ``step`` to have reached its goal; empty where nothing is.

    Of several actions on one product code the last decides: a release may be removed to make room for another
    one with the same code.
    """
    products = tuple(products)
    last = {action.product_code: action for action in step.actions}
    missing = [shortfall_of_action(action, products) for action in last.values()]
    missing += [_not_gone(code, products) for code in step.removes if code not in last]
    return "; ".join(text for text in missing if text)


def is_there(release: Release, products: Iterable[InstalledProduct]) -> bool:
    """Return whether ``release`` is installed for the machine."""
    return not _not_there(release, products)


def _not_there(release: Release, products: Iterable[InstalledProduct]) -> str:
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
