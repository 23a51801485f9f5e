"""Knows the branches that proposals stand on: what is on each, and whether it is ours. Pushes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import pygit2

from reconciler.desired.loading import load
from reconciler.desired.model import Wanted
from reconciler.desired.repository import RepositoryError
from reconciler.operations.promotion.basis import Basis
from reconciler.planning.candidates import text_of

SEVERAL = "_several"
"""Stands in a package's place for a proposal of several: no package can have this name."""


class BranchState(StrEnum):
    """What is on a proposal's branch.

    ``MERGED`` means that all of it is on the branch that is followed. ``OPEN`` is a proposal of ours that waits,
    ``FOREIGN`` something that people made, or added to.
    """

    NONE = "none"
    MERGED = "merged"
    OPEN = "open"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class ProposalBranch:
    """A branch for a proposal, and what is on it. ``commit`` is its newest, ``None`` where there is no branch."""

    name: str
    state: BranchState
    commit: str | None


def branch_for(basis: Basis, packages: tuple[str, ...]) -> ProposalBranch:
    """Return the branch on which these packages are proposed for the target."""
    return _found(basis, f"{_folder(basis)}{packages[0] if len(packages) == 1 else SEVERAL}")


def merging_changes(basis: Basis, branch: ProposalBranch) -> dict[str, bytes | None] | None:
    """Return what merging a branch would do to the branch that is followed.

    That this one went on elsewhere makes no other proposal of it, and its approvals stay.

    Returns:
        the new content of each file that would change, ``None`` for one that would go; ``None`` where the two
        conflict, or have nothing in common.
    """
    assert branch.commit is not None
    index = basis.mirror.merge(basis.head, branch.commit)
    if index is None or index.conflicts is not None:
        return None
    handle = basis.mirror.handle()
    try:
        merged = handle[index.write_tree(handle)].peel(pygit2.Tree)
        deltas = handle[basis.head].peel(pygit2.Tree).diff_to_tree(merged).deltas
        paths = {file.path for delta in deltas for file in (delta.old_file, delta.new_file)}
        return {path: merged[path].peel(pygit2.Blob).data if path in merged else None for path in paths}
    except (KeyError, ValueError, pygit2.GitError) as error:
        raise RepositoryError(f"cannot merge {branch.name}: {error}", where=str(basis.mirror.folder)) from error


def merged_branches(basis: Basis) -> tuple[str, ...]:
    """Return the branches of the target whose change is in already, by a merge or otherwise."""
    return tuple(branch.name for branch in _branches(basis) if merging_changes(basis, branch) == {})


def open_proposals(basis: Basis) -> dict[str, dict[str, str]]:
    """Return what each branch that waits proposes for the target and is not so yet: versions by package."""
    now = basis.desired.versions_of(basis.target)
    found: dict[str, dict[str, str]] = {}
    for branch in _branches(basis):
        if branch.state is BranchState.OPEN and branch.commit is not None:
            before = _versions(basis, basis.mirror.commit(branch.commit).parents[0])
            found[branch.name] = {
                package: text_of(wanted)
                for package, wanted in _versions(basis, branch.commit).items()
                if wanted not in (before.get(package), now.get(package))
            }
    return found


def _versions(basis: Basis, commit: str) -> dict[str, Wanted]:
    state = load(basis.mirror, commit, basis.site.settings.root, basis.site.loads).state
    if state is None or basis.target not in state.environments:
        return {}
    return dict(state.versions_of(basis.target))


def _branches(basis: Basis) -> tuple[ProposalBranch, ...]:
    return tuple(_found(basis, name) for name in sorted(basis.mirror.branches(_folder(basis))))


def _found(basis: Basis, name: str) -> ProposalBranch:
    mirror = basis.mirror
    commit = mirror.branches(name).get(name)
    if commit is None:
        return ProposalBranch(name, BranchState.NONE, None)
    if mirror.is_ancestor(commit, basis.head):
        return ProposalBranch(name, BranchState.MERGED, commit)
    parents = mirror.commit(commit).parents
    ours = (
        basis.trailer in mirror.message(commit).splitlines()
        and len(parents) == 1
        and mirror.is_ancestor(parents[0], basis.head)
        and mirror.changed_paths(parents[0], commit) == (basis.path,)
    )
    return ProposalBranch(name, BranchState.OPEN if ours else BranchState.FOREIGN, commit)


def _folder(basis: Basis) -> str:
    return f"promote/{basis.target}/"
