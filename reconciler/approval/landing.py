"""Checks in git that what landed on the branch is what was approved, however it was merged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache

import pygit2
from pygit2.enums import SortMode

from reconciler.approval.evidence import Change
from reconciler.desired.repository import GitRepository

MOST_REBASED = 250
"""Commits of one change that are matched with those that a rebase made of them."""

_SHORT = 10
_MORE = "holds more than what was approved: merge it anew, as it is"


def alteration(repository: GitRepository, commit: pygit2.Commit, change: Change | None) -> str:
    """Return, in words, what a first-parent commit of the branch has besides what was approved; empty for nothing.

    A merge holds just its two sides, put together as git does that by itself. A squash is the same without the
    second side. A rebase makes a commit of each commit of the change, by the same patch and in the same order. A
    fast-forward puts the change's own commits on the branch.

    Args:
        repository: where the commit is.
        commit: the commit.
        change: the change by which it came; ``None`` where it came by none.
    """
    parents = commit.parents
    if len(parents) > 2:
        return _MORE
    if change is None:
        merged = len(parents) == 2
        return "" if not merged or _comes_to(repository, parents[0], parents[1], commit) else _MORE
    head = _find(repository, change.head)
    if head is None:
        return (
            f"cannot be compared with what was approved: its head {change.head[:_SHORT]} is not in the repository "
            "any more"
        )
    if str(commit.id) in _fast_forwarded(repository, head, change):
        return ""
    if len(parents) == 2:
        return _altered_merge(repository, commit, head, change)
    if not parents or _comes_to(repository, parents[0], head, commit):
        return "" if parents else _MORE
    last = _find(repository, change.landed) or commit
    if str(commit.id) in _rebased(repository, last, head):
        return ""
    return (
        "holds more than what was approved, or its commits cannot be matched with those that were: "
        "merge it by a merge commit, or squash it"
    )


def landed_with(repository: GitRepository, last: str, change: Change) -> frozenset[str]:
    """Return the commits of the branch that a change brought in by a rebase or a fast-forward, by their ids.

    Args:
        repository: where they are.
        last: the commit by which the change landed.
        change: the change.
    """
    head, landed = _find(repository, change.head), _find(repository, last)
    if head is None or landed is None:
        return frozenset()
    return _fast_forwarded(repository, head, change) or _rebased(repository, landed, head)


def _altered_merge(repository: GitRepository, commit: pygit2.Commit, head: pygit2.Commit, change: Change) -> str:
    ours, theirs = commit.parents
    made_of_it = (
        theirs.id == head.id
        or str(theirs.id) == change.squash
        or (change.landed == str(commit.id) and str(theirs.id) in _rebased(repository, theirs, head))
    )
    return "" if made_of_it and _comes_to(repository, ours, head, commit) else _MORE


def _comes_to(
    repository: GitRepository, ours: pygit2.Commit, theirs: pygit2.Commit, commit: pygit2.Commit
) -> bool:
    """Return whether merging two commits gives just what a third one holds."""
    index = repository.merge(str(ours.id), str(theirs.id))
    if index is None or index.conflicts is not None:
        return False
    return index.write_tree(repository.handle()) == commit.tree_id


def _fast_forwarded(repository: GitRepository, head: pygit2.Commit, change: Change) -> frozenset[str]:
    """Return the change's own commits that are on the branch as they are: its line from its base to its head."""
    if change.landed not in ("", str(head.id)):
        return frozenset()
    base = _find(repository, change.base)
    line = repository.first_parents(str(head.id), str(base.id)) if base is not None else None
    return frozenset(line[-MOST_REBASED:] if line else (str(head.id),))


def _rebased(repository: GitRepository, last: pygit2.Commit, head: pygit2.Commit) -> frozenset[str]:
    """Return the commits up to ``last`` that a rebase made of those up to ``head``; none if it made others."""
    fork = repository.handle().merge_base(last.id, head.id)
    if not fork:
        return frozenset()
    approved = _line_of(repository, head, fork)
    landed: list[pygit2.Commit] = []
    each = last
    while approved and each.id != fork and len(each.parents) == 1:
        patch = _patch(repository, str(each.id))
        while approved and approved[-1] != patch:
            approved.pop()  # a rebase leaves out what the branch has already
        if not approved:
            break
        approved.pop()
        landed.append(each)
        each = each.parents[0]
    if not landed or not _comes_to(repository, landed[-1].parents[0], head, last):
        return frozenset()
    return frozenset(str(found.id) for found in landed)


def _line_of(repository: GitRepository, head: pygit2.Commit, fork: pygit2.Oid) -> list[str]:
    """Return the patches of a change's commits but for merges, the oldest first; none where there are too many."""
    walk = repository.handle().walk(head.id, SortMode.TOPOLOGICAL | SortMode.REVERSE)
    walk.hide(fork)
    found = []
    for commit in walk:
        if len(commit.parents) == 1:
            found.append(_patch(repository, str(commit.id)))
        if len(found) > MOST_REBASED:
            return []
    return found


@lru_cache(maxsize=4096)
def _patch(repository: GitRepository, commit: str) -> str:
    """Return what identifies a commit's patch: its files, modes and lines, and not where in the files these are.

    As ``git patch-id --verbatim``: in YAML, white space tells. libgit2's own leaves it out.

    Source: git-scm.com/docs/git-patch-id
    """
    found = repository.handle()[commit].peel(pygit2.Commit)
    diff = found.parents[0].tree.diff_to_tree(found.tree)
    digest = hashlib.sha256()
    for part in _parts(diff):
        digest.update(f"{len(part)}:".encode() + part)
    return digest.hexdigest()


def _parts(diff: pygit2.Diff) -> Iterator[bytes]:
    for delta in diff.deltas:
        yield delta.status_char().encode()
        for file in (delta.old_file, delta.new_file):
            yield file.raw_path
            yield str(int(file.mode)).encode()
    for patch in diff:
        if patch is None:
            continue
        if patch.delta.is_binary:
            yield str(patch.delta.old_file.id).encode()
            yield str(patch.delta.new_file.id).encode()
        for hunk in patch.hunks:
            for line in hunk.lines:
                yield line.origin.encode() + line.raw_content


def _find(repository: GitRepository, commit: str) -> pygit2.Commit | None:
    handle = repository.handle()
    try:
        return handle[commit].peel(pygit2.Commit) if commit else None
    except (KeyError, ValueError, pygit2.GitError):
        return None
