"""Checks that entries of different origins make a valid environment together. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.approval.entries import (
    ENVIRONMENT,
    ORDER,
    POLICY,
    Entries,
    Key,
    Selection,
    environment_from,
    order_of_overrides,
    rules_of,
)
from reconciler.desired.model import Host
from reconciler.desired.people import People
from reconciler.kernel.releases import MsiRelease


def misfits(entries: Entries) -> Iterator[str]:
    """Yield why these entries cannot be in force together; nothing where they can.

    Each origin validates as a whole. So only what entries of different origins can break is checked: that packages
    are defined in one way, that no two claim a product, that those who may approve exist, that addresses differ.
    """
    if not entries:
        return
    if ENVIRONMENT not in entries:
        yield "the environment itself is gone, and a part of it would stay"
        return
    yield from _packages(entries)
    yield from _people(entries)
    yield from _hosts(entries)
    order = order_of_overrides(environment_from("", entries, rules_of(entries)))
    if order != entries.get(ORDER, ()):
        yield "the order of its overrides is not approved"


def _packages(entries: Entries) -> Iterator[str]:
    definitions: dict[str, tuple[Key, Selection]] = {}
    releases: dict[tuple[str, str], object] = {}
    upgrade_codes: dict[str, str] = {}
    product_codes: dict[str, str] = {}
    for key, value in entries.items():
        if not isinstance(value, Selection):
            continue
        name = value.package.name
        if definitions.setdefault(name, (key, value))[1].package != value.package:
            yield f"package {name} would be defined in two ways"
            continue
        if value.package.upgrade_code and upgrade_codes.setdefault(value.package.upgrade_code, name) != name:
            yield f"packages {upgrade_codes[value.package.upgrade_code]} and {name} would have one upgrade code"
        if value.release is not None:
            known = releases.setdefault((name, value.release.version), value.release)
            if known != value.release:
                yield f"package {name} would have two releases {value.release.version}"
        if isinstance(value.release, MsiRelease):
            code = value.release.product_code
            if product_codes.setdefault(code, name) != name:
                yield f"packages {product_codes[code]} and {name} would have one product code"


def _people(entries: Entries) -> Iterator[str]:
    rules = rules_of(entries)
    if POLICY not in entries:
        return
    missing = [group for group in (*rules.policy.groups, rules.emergency) if group and group not in rules.groups]
    yield from (f"there would be no group {group}, which decides" for group in missing)
    members = People(rules.people, rules.groups).members(rules.policy.groups)
    if not missing and len(members) < rules.policy.required:
        yield f"{rules.policy.required} approvals would be required, and only {len(members)} could be given"


def _hosts(entries: Entries) -> Iterator[str]:
    addresses: dict[str, str] = {}
    for value in entries.values():
        if isinstance(value, Host) and value.address:
            first = addresses.setdefault(value.address.casefold(), value.name)
            if first != value.name:
                yield f"hosts {first} and {value.name} would have one address"
