"""Who may approve what: people, and how many of them an environment wants. Pure data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is known by several names.

    ``known_as`` are logins (``@ann``) and mail addresses, ``keys`` the public keys that they sign with: SSH ones
    as a line, OpenPGP ones in armor. ``accounts`` are the forge's ids of this person's accounts, where they are
    pinned: an account of the same login and another id is somebody else's.
    """

    name: str
    known_as: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApprovalPolicy:
    """What must be so before a commit counts for an environment.

    ``required`` approvals by different members of ``groups``, none of whom wrote a part of it or pushed it last.
    ``voided_by_push``: an approval counts only for the very commits that it was given for. ``checks`` must have
    passed; ``reporters`` are, by the name of a check, the accounts and apps whose report of it counts. ``signed``:
    every commit carries the signature of a known person.
    """

    required: int = 0
    groups: tuple[str, ...] = ()
    voided_by_push: bool = True
    checks: tuple[str, ...] = ()
    signed: bool = False
    reporters: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def reporters_of(self, check: str) -> tuple[str, ...]:
        """Return whose report of a check counts; empty where the policy does not say."""
        return next((names for name, names in self.reporters if name == check), ())

    @property
    def demands_nothing(self) -> bool:
        """Whether every commit counts as it is."""
        return not (self.required or self.checks or self.signed)


NO_APPROVALS = ApprovalPolicy()
"""The policy of an environment for which none is said anywhere."""
