"""Caps what one account may have in the hosted repository: branches, and open changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.kernel.errors import ReconcilerError
from reconciler.review.repository import BRANCHES, HostedRepository
from reconciler.store.changes import ChangeState, ChangeStore
from reconciler.store.pushes import NO_COMMIT, PushStore, RefUpdate


class CapReached(ReconcilerError):
    """An account that has as many branches or open changes as it may have."""

    reference = "cap-reached"


@dataclass(frozen=True, slots=True)
class AccountCaps:
    """How many branches and open changes one account may have."""

    repository: HostedRepository
    pushes: PushStore
    changes: ChangeStore
    most_branches: int
    most_changes: int

    def demand(self, account: str, updates: Sequence[RefUpdate]) -> None:
        """Check that a push leaves an account within its caps. Nobody else's pushes count against it.

        Args:
            account: who pushes.
            updates: what the push moves.

        Raises:
            CapReached: it does not.
        """
        refs = self.repository.refs()
        kept = [u.ref for u in updates if u.new != NO_COMMIT and u.ref != BRANCHES + self.repository.branch]
        made = [ref for ref in kept if ref not in refs]
        if made:
            has = sum(1 for maker in self.pushes.makers(refs).values() if maker == account)
            if has + len(made) > self.most_branches:
                raise CapReached(
                    f"{account} has {has} branches, and may have {self.most_branches}",
                    hint="delete branches that are no longer needed: git push origin --delete NAME",
                )
        open_ones = self.changes.of_state(ChangeState.OPEN)
        changed = {BRANCHES + change.branch for change in open_ones}
        head = refs.get(BRANCHES + self.repository.branch)
        merged = {u.ref for u in updates if head is not None and self.repository.is_merged(u.new, head)}
        opened = [ref for ref in kept if ref not in changed and ref not in merged]
        has = sum(1 for change in open_ones if change.requester == account)
        if opened and has + len(opened) > self.most_changes:
            raise CapReached(
                f"{account} has {has} open changes, and may have {self.most_changes}",
                hint="close changes that are no longer needed: reconciler change close NUMBER",
            )
