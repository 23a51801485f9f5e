"""Tells from git alone how a commit came onto the branch: by whose signatures. For repositories without a forge.

Whoever merges a branch and signs the merge approves it; so does whoever signs a tag below ``approved/`` that names
the branch's last commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pygit2

from reconciler.approval.evidence import Approval, Change
from reconciler.approval.git_evidence import signer_of
from reconciler.desired.repository import GitRepository

TAGS = "refs/tags/approved/"
"""Where tags lie that approve a commit."""


class SignedReviews:
    """Implements `reconciler.approval.forge.Reviews` on signatures.

    Args:
        repository: the repository.
        pgp_keys: gives the OpenPGP keys that signatures may be by, in armor.
        received: gives when the server first received an object, in seconds since 1970, by its id.
    """

    def __init__(
        self,
        repository: GitRepository,
        pgp_keys: Callable[[], Iterable[str]],
        received: Callable[[str], float],
    ) -> None:
        self._repository = repository
        self._pgp_keys = pgp_keys
        self._received = received

    def merged_change(self, commit: str) -> Change | None:
        """Return the change that a merge commit brought in; ``None`` for a commit that merges nothing."""
        handle = self._repository.handle()
        merge = handle[commit].peel(pygit2.Commit)
        if len(merge.parents) != 2:
            return None
        head = merge.parents[1]
        keys = tuple(self._pgp_keys())
        approvals = []
        merged_by = signer_of(merge, keys, self._received(commit))
        if merged_by:
            approvals.append(Approval(merged_by, str(head.id), float(merge.commit_time)))
        for name in handle.references:
            tag = handle.get(handle.references[name].target) if name.startswith(TAGS) else None
            if isinstance(tag, pygit2.Tag) and tag.target == head.id:
                signer = signer_of(tag, keys, self._received(str(tag.id)))
                if signer:
                    at = float(tag.tagger.time) if tag.tagger is not None else 0.0
                    approvals.append(Approval(signer, str(head.id), at))
        return Change(
            name=str(head.id)[:10],
            url="",
            title=head.message.strip().partition("\n")[0],
            requester=head.author.email,
            head=str(head.id),
            opened_at=float(head.commit_time),
            approvals=tuple(approvals),
            merged_by=merged_by,
            merged_at=float(merge.commit_time),
        )
