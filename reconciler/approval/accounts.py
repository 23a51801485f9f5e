"""Collects the ids of the accounts that a forge names: a login can be given up, and taken by somebody else."""

from __future__ import annotations

from reconciler.desired.people import Identity


class Accounts:
    """The ids of the accounts that a forge names in what it says of one change."""

    def __init__(self) -> None:
        self.ids: dict[Identity, str] = {}

    def note(self, identity: Identity, account: str) -> Identity:
        """Keep an account's id, and return its identity.

        Args:
            identity: how the forge names it.
            account: its id there; empty where the forge does not report one.
        """
        if account:
            self.ids[identity] = account
        return identity
