"""Who may approve what: people, and how many of them an environment wants. Pure data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is known by several names.

    ``known_as`` are logins (``@ann``) and mail addresses, ``keys`` the public keys that they sign with: SSH ones
    as a line, OpenPGP ones in armor.
    """

    name: str
    known_as: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApprovalPolicy:
    """What must be so before a commit counts for an environment.

    ``required`` approvals by different members of ``groups``, none of whom wrote a part of it or pushed it last.
    ``voided_by_push``: an approval counts only for the very commits that it was given for. ``checks`` must have
    passed. ``signed``: every commit carries the signature of a known person.
    """

    required: int = 0
    groups: tuple[str, ...] = ()
    voided_by_push: bool = True
    checks: tuple[str, ...] = ()
    signed: bool = False

    @property
    def demands_nothing(self) -> bool:
        """Whether every commit counts as it is."""
        return not (self.required or self.checks or self.signed)


NO_APPROVALS = ApprovalPolicy()
"""The policy of an environment for which none is said anywhere."""
