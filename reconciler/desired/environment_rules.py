"""Checks environments among each other: promotions, inheritance, the isolation of tenants. Pure.

Works on files already read; where one that matters could not be read, nothing is said that it might refute.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.desired.collection import Manifests
from reconciler.desired.findings import Location, Problem, Rule
from reconciler.desired.layout import tenant_of
from reconciler.desired.suggestions import Suggester

Links = Mapping[str, str]
"""From each environment to the one that it names, both by full name."""


def check_environments(manifests: Manifests, suggester: Suggester) -> Iterator[Problem]:
    """Yield what is wrong with what environments say of each other."""
    promotions = links_of(manifests, "promotesFrom", "promotes_from")
    inheritance = links_of(manifests, "inherits", "inherits")
    yield from _strangers(manifests, "promotesFrom", "promotes_from", suggester)
    yield from _strangers(manifests, "inherits", "inherits", suggester)
    for circle in _circles(promotions):
        message = f"promotions go round in a circle: {_told(circle)}"
        hint = "leave promotesFrom out of the environment that new releases reach first"
        yield _at(manifests, circle[0], Rule.PROMOTION_CIRCLE, message, hint, "promotesFrom")
    for circle in _circles(inheritance):
        message = f"versions are inherited in a circle: {_told(circle)}"
        hint = "leave inherits out of the environment that the others start from"
        yield _at(manifests, circle[0], Rule.INHERITANCE_CIRCLE, message, hint, "inherits")
    yield from _lone(manifests, promotions, inheritance)
    for name, file in sorted(manifests.environments.items()):
        manifest = file.manifest
        if manifest is not None and manifest.soak is not None and manifest.promotes_from is None:
            message = f"nothing is promoted to {name}, so there is nowhere for a release to soak"
            hint = "name the environment that versions come from under promotesFrom, or take the soak out"
            yield _at(manifests, name, Rule.NEEDLESS_SOAK, message, hint, "soak")


def links_of(manifests: Manifests, key: str, attribute: str) -> Links:
    """Return whom each environment names under a key, where that exists."""
    links: dict[str, str] = {}
    for name, file in sorted(manifests.environments.items()):
        named = file.value(key, attribute)
        found = manifests.resolve(named, name) if isinstance(named, str) else None
        if found is not None:
            links[name] = found
    return links


def _strangers(manifests: Manifests, key: str, attribute: str, suggester: Suggester) -> Iterator[Problem]:
    """Yield names of environments that do not exist, or that are not for this one to name."""
    location: Location = (key,)
    for name, file in sorted(manifests.environments.items()):
        named = file.value(key, attribute)
        if not isinstance(named, str):
            continue
        tenant = tenant_of(name)
        found = manifests.resolve(named, name)
        if found is None:
            near = [other for other in sorted(manifests.environments) if tenant_of(other) in (None, tenant)]
            listed = f"environments: {', '.join(near[:20])}"
            hint = suggester.hint(f"environment for {tenant}", named, near, listed)
            message = f"there is no environment {named!r}"
            yield Problem(file.path, Rule.UNKNOWN_ENVIRONMENT, message, hint, location)
        elif tenant_of(found) not in (None, tenant):
            message = f"{found} belongs to another tenant"
            hint = "name an environment of the same tenant, or one that is no tenant's"
            yield Problem(file.path, Rule.FOREIGN_ENVIRONMENT, message, hint, location)


def _circles(links: Links) -> Iterator[tuple[str, ...]]:
    """Yield each circle once, from its first name in the alphabet and back to it. Takes each link once."""
    settled: set[str] = set()
    for start in links:
        passed: dict[str, int] = {}
        name: str | None = start
        while name is not None and name not in settled and name not in passed:
            passed[name] = len(passed)
            name = links.get(name)
        if name is not None and name in passed:
            circle = list(passed)[passed[name] :]
            first = circle.index(min(circle))
            yield (*circle[first:], *circle[:first], circle[first])
        settled.update(passed)


def _told(circle: tuple[str, ...]) -> str:
    """Return a circle in words; of a very long one the first and last names."""
    named = circle if len(circle) <= 10 else (*circle[:5], "…", *circle[-4:])
    return " from ".join(named)


def _lone(manifests: Manifests, promotions: Links, inheritance: Links) -> Iterator[Problem]:
    """Yield environments outside every promotion, where others are promoted: often one was forgotten."""
    files = manifests.environments
    if not promotions or any(file.manifest is None for file in files.values()):
        return
    joined = {*promotions, *promotions.values(), *inheritance.values()}
    for name in sorted(files.keys() - joined):
        if files[name].value("promotesFrom", "promotes_from") is None:
            message = f"nothing is promoted to {name}, nor from it"
            hint = "name the environment that its versions come from under promotesFrom, if there is one"
            yield Problem(files[name].path, Rule.LONE_ENVIRONMENT, message, hint)


def _at(manifests: Manifests, name: str, rule: Rule, message: str, hint: str, key: str) -> Problem:
    return Problem(manifests.environments[name].path, rule, message, hint, (key,))
