"""Tells who is who: several names for one person, and who is a member of a group. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.desired.approvals import Person
from reconciler.desired.public_keys import key_identity

Identity = str
"""Somebody as a system knows them: ``@login``, a mail address, or ``key:`` and the fingerprint of a key."""


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

    def members(self, groups: Iterable[str]) -> frozenset[str]:
        """Return the persons in any of some groups. A team of a forge is no person, and not counted."""
        return frozenset(person for group in groups for person in self._groups.get(group, ()))


def identities_of(person: Person) -> tuple[Identity, ...]:
    """Return all that a person is known by, folded; of damaged keys nothing."""
    return tuple(map(fold, person.known_as)) + tuple(map(key_identity, person.keys))


def fold(identity: Identity) -> Identity:
    """Return the form under which identities are compared. Fingerprints keep their case: they are base64."""
    return identity if identity.startswith("key:") else identity.casefold()


def is_team(member: str) -> bool:
    """Return whether a group's member is a team of a forge (``@organisation/team``), not a person."""
    return member.startswith("@") and "/" in member
