"""Tells who is who: several names for one person, and who is a member of a group. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from reconciler.desired.approvals import Person
from reconciler.desired.public_keys import key_identity

Identity = str
"""Somebody as a system knows them: ``@login``, a mail address, or ``key:`` and the fingerprint of a key."""


_FORGE_MADE = re.compile(
    r"(?P<whole>(?:[0-9]+[+-])?(?P<login>[^@+]+))(?:\+[0-9]+)?@(?:users\.)?noreply\.", re.IGNORECASE
)
"""A mail address that a forge makes for an account that hides its own.

Source: docs.github.com, Email addresses reference; docs.gitlab.com/user/profile, Use an automatically-generated
private commit email; forgejo.org/docs/latest/admin/config-cheat-sheet, NO_REPLY_ADDRESS
"""


class People:
    """Everybody that a desired state knows.

    Somebody who stands under no person is one all the same, by the name that is used: logins and mail addresses
    are compared without regard to case.

    Args:
        people: those who are known by several names.
        groups: the members of each group.
    """

    def __init__(self, people: Mapping[str, Person], groups: Mapping[str, tuple[str, ...]]) -> None:
        self._names: dict[Identity, str] = {}
        self._known = frozenset(people)
        self._people = people
        for person in people.values():
            for identity in identities_of(person):
                self._names.setdefault(identity, person.name)
        self._groups = {
            group: frozenset(self.who(member) for member in members if not is_team(member))
            for group, members in groups.items()
        }

    def who(self, identity: Identity) -> str:
        """Return the person's name; the identity itself where it is nobody's that is known."""
        folded = fold(identity)
        return self._names.get(folded, folded)

    def is_known(self, identity: Identity) -> bool:
        """Return whether an identity stands under a person."""
        return self.who(identity) in self._known

    def accounts(self, identity: Identity) -> frozenset[str]:
        """Return the forge's ids of a person's accounts; none where they are not pinned."""
        person = self._people.get(self.who(identity))
        return frozenset(person.accounts) if person is not None else frozenset()

    def has_mail(self, identity: Identity) -> bool:
        """Return whether a mail address of the person is known."""
        person = self._people.get(self.who(identity))
        return person is not None and any(map(is_mail, person.known_as))

    def members(self, groups: Iterable[str]) -> frozenset[str]:
        """Return the persons in any of some groups. A team of a forge is no person, and not counted."""
        return frozenset(person for group in groups for person in self._groups.get(group, ()))


def identities_of(person: Person) -> tuple[Identity, ...]:
    """Return all that a person is known by, folded; of damaged keys nothing."""
    return tuple(map(fold, person.known_as)) + tuple(map(key_identity, person.keys))


def fold(identity: Identity) -> Identity:
    """Return the form under which identities are compared. Fingerprints keep their case: they are base64."""
    return identity if identity.startswith("key:") else identity.casefold()


def is_mail(identity: Identity) -> bool:
    """Return whether an identity is a mail address."""
    return "@" in identity[1:] and not identity.startswith(("@", "key:"))


def logins_of(mail: Identity) -> tuple[Identity, ...]:
    """Return the accounts that a forge may have made an address for, such as ``12+ann@users.noreply.…``.

    There are two of ``12-ann``, which can be a whole login. Of any other address there is none. Anybody can write
    such an address into a commit: it shows who may have written it, and proves nothing.
    """
    found = _FORGE_MADE.match(mail) if is_mail(mail) else None
    return tuple(dict.fromkeys((f"@{found['login']}", f"@{found['whole']}"))) if found is not None else ()


def is_team(member: str) -> bool:
    """Return whether a group's member is a team of a forge (``@organisation/team``), not a person."""
    return member.startswith("@") and "/" in member
