"""Finds the change by which a commit came in where the forge names it for a later commit alone: after a rebase.

A rebase and a fast-forward put several commits on the branch, and forges name the change for the last of them.
"""

from __future__ import annotations

import time
from dataclasses import replace

from reconciler.approval.evidence import Change
from reconciler.approval.forge import Reviews
from reconciler.approval.landing import MOST_REBASED, landed_with
from reconciler.desired.mirror import FetchError, fetch_ref
from reconciler.desired.repository import GitRepository, RepositoryError

LANDED = "refs/reconciler/landed/"
"""Where the mirror keeps the heads of changes that landed as other commits, to compare the two."""


ASK_AGAIN_SECONDS = 300.0
"""Seconds before the forge is asked again about a later commit that came by no change."""


class LandedChanges:
    """Implements `reconciler.approval.forge.Reviews` on a forge and the mirror of its repository.

    Args:
        reviews: the forge.
        mirror: the mirror.
        branch: the branch that is followed.
    """

    def __init__(self, reviews: Reviews, mirror: GitRepository, branch: str) -> None:
        self._reviews = reviews
        self._mirror = mirror
        self._branch = branch
        self._none_at: dict[str, float] = {}

    def merged_change(self, commit: str) -> Change | None:
        """Return the change by which a commit came in, its head in the mirror; ``None`` where it came by none."""
        change = self._asked(commit)
        return change if change is not None else self._rebased(commit)

    def _asked(self, commit: str) -> Change | None:
        change = self._reviews.merged_change(commit)
        if change is None:
            return None
        if change.head not in self._mirror.handle() and change.ref:
            try:
                fetch_ref(self._mirror, change.ref, LANDED + change.head)
            except FetchError:  # its head is gone: what landed cannot be compared with it, and is not let through
                return change
        return change

    def _rebased(self, commit: str) -> Change | None:
        """Return the change that brought in a commit together with a later one."""
        try:
            later = self._mirror.first_parents(self._mirror.head(self._branch), commit) or ()
        except RepositoryError:
            return None
        now = time.monotonic()
        for last in later[:MOST_REBASED]:
            if now - self._none_at.get(last, float("-inf")) < ASK_AGAIN_SECONDS:
                continue
            change = self._asked(last)
            if change is not None:
                landed = landed_with(self._mirror, last, change)
                return replace(change, landed=change.landed or last) if commit in landed else None
            self._none_at[last] = now
        return None
