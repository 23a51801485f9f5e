"""Checks who may approve what: that groups exist, have people enough, and names are one person's. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.desired.approval_manifests import ApprovalsManifest
from reconciler.desired.approvals import Person
from reconciler.desired.collection import Manifests
from reconciler.desired.findings import Location, Problem, Rule
from reconciler.desired.manifests import SettingsManifest
from reconciler.desired.people import People, identities_of, is_team
from reconciler.desired.suggestions import Suggester


def check_approvals(manifests: Manifests, suggester: Suggester) -> Iterator[Problem]:
    """Yield what is wrong with people and policies; nothing where reconciler.yaml is not valid."""
    settings = manifests.settings
    if settings is None or settings.manifest is None:
        return
    people = _people(settings.manifest)
    yield from _shared(settings.path, people)
    yield from _shared_accounts(settings.path, people)
    groups = {name: tuple(members) for name, members in settings.manifest.groups.items()}
    known = People(people, groups)
    for path, policy in _policies(manifests):
        for index, group in enumerate(policy.from_):
            yield from _group(path, group, groups, suggester, ("approvals", "from", index))
        counted = len(known.members(policy.from_))
        if counted < policy.required and all(group in groups for group in policy.from_):
            message = f"{policy.required} approvals are required, and {counted or 'none'} can be given"
            hint = "list more people in these groups, or require fewer"
            yield Problem(path, Rule.UNREACHABLE_APPROVAL, message, hint, ("approvals", "required"))
    emergency = settings.manifest.emergency
    if emergency is not None:
        yield from _group(settings.path, emergency.group, groups, suggester, ("emergency", "group"))
        signers = {name for name, person in people.items() if person.keys}
        if emergency.group in groups and not known.members([emergency.group]) & signers:
            message = f"nobody in {emergency.group} has a key to sign with"
            hint = "give its members keys under people"
            yield Problem(settings.path, Rule.UNREACHABLE_APPROVAL, message, hint, ("emergency", "group"))


def _people(settings: SettingsManifest) -> dict[str, Person]:
    return {
        name: Person(name, tuple(person.known_as), tuple(person.keys), tuple(person.account_ids))
        for name, person in settings.people.items()
    }


def _policies(manifests: Manifests) -> Iterator[tuple[str, ApprovalsManifest]]:
    for files in ((manifests.settings,), manifests.tenants.values(), manifests.environments.values()):
        for file in files:
            approvals = getattr(file.manifest, "approvals", None) if file is not None else None
            if file is not None and approvals is not None:
                yield file.path, approvals


def _group(
    path: str, group: str, groups: Mapping[str, tuple[str, ...]], suggester: Suggester, location: Location
) -> Iterator[Problem]:
    if group not in groups:
        listed = sorted(groups)
        otherwise = f"groups: {', '.join(listed)}" if listed else "list it under groups in reconciler.yaml"
        hint = suggester.hint("group", group, listed, otherwise)
        yield Problem(path, Rule.UNKNOWN_GROUP, f"there is no group {group!r}", hint, location)
        return
    teams = [member for member in groups[group] if is_team(member)]
    if teams:
        message = f"{group} has the team {teams[0]} in it, and who is in that is not known here"
        hint = "list the people who may approve by their logins or addresses"
        yield Problem(path, Rule.UNREACHABLE_APPROVAL, message, hint, location)


def _shared_accounts(path: str, people: Mapping[str, Person]) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for name, person in people.items():
        for account in person.accounts:
            first = owners.setdefault(account, name)
            if first != name:
                message = f"the account {account} is {first}'s already"
                hint = "list each account id under one person"
                yield Problem(path, Rule.SHARED_IDENTITY, message, hint, ("people", name), on_key=True)


def _shared(path: str, people: Mapping[str, Person]) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for name, person in people.items():
        for identity in identities_of(person):
            first = owners.setdefault(identity, name)
            if first != name:
                message = f"{identity} is {first} already"
                hint = "list each login, address and key under one person"
                yield Problem(path, Rule.SHARED_IDENTITY, message, hint, ("people", name), on_key=True)
