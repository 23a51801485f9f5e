"""Proposes what is verified upstream for the environment downstream: a commit on a branch of its own, pushed."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace
from enum import StrEnum

from reconciler.approval.forge import ForgeUnavailable
from reconciler.approval.needs import needs_of
from reconciler.desired.commits import BranchMoved, Person, author_of, write_commit
from reconciler.desired.editing import set_version
from reconciler.desired.findings import Severity
from reconciler.desired.layout import tenant_of
from reconciler.desired.loading import load
from reconciler.desired.mirror import fetch
from reconciler.desired.model import DesiredState
from reconciler.grants.credentials import CredentialMissing
from reconciler.operations.admitting import placements
from reconciler.operations.desired import mirror_of
from reconciler.operations.fleet import known_hosts
from reconciler.operations.forges import ForgeMisconfigured
from reconciler.operations.plan import release_notes, wish_changes
from reconciler.operations.promotion.basis import Basis, CannotPromote, find_basis
from reconciler.operations.promotion.branches import (
    BranchState,
    ProposalBranch,
    branch_for,
    merged_branches,
    merging_changes,
    open_proposals,
)
from reconciler.operations.promotion.choice import choose
from reconciler.operations.publish import MOST_TRIES, InvalidChange
from reconciler.operations.pushing import push_as
from reconciler.operations.reviews import forge_of
from reconciler.planning.plan import plan
from reconciler.planning.proposal import LeftOut, Promoted, Proposal, Reviewers
from reconciler.planning.proposal_report import as_message
from reconciler.site import Site
from reconciler.store.holds import Override

LONGEST_REASON = 200
"""Characters that the reason for an unverified promotion may have: it stands in a title."""


class Fate(StrEnum):
    """What became of a proposal. ``NOTHING`` means that there was nothing to propose."""

    OPENED = "opened"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class PromotionRequest:
    """What is to be promoted.

    ``source`` may be left out: it is what the target's ``promotesFrom`` names. Without ``packages`` it is all that
    is verified and goes up. ``unverified`` is why they go on whether verified or not. ``author`` is
    written ``Name <mail@example.com>``; ``None`` for whom git's configuration names.
    """

    target: str
    source: str | None = None
    packages: tuple[str, ...] = ()
    unverified: str | None = None
    author: str | None = None


@dataclass(frozen=True, slots=True)
class Promotion:
    """What came of it.

    ``branch`` and ``commit`` are the proposal's, ``message`` is its title and description in Markdown; all are
    empty where nothing was proposed. ``left_out`` are packages that differ upstream and are not in it. ``merged``
    are branches whose proposals are merged already, ``also_on`` others that wait and propose one of its packages.
    ``change`` and ``url`` are those of the change at the forge; ``trouble`` is why there is none, though the
    settings name a forge: the branch is pushed all the same.
    """

    fate: Fate
    source: str
    target: str
    branch: str = ""
    commit: str = ""
    message: str = ""
    proposal: Proposal | None = None
    left_out: tuple[LeftOut, ...] = ()
    merged: tuple[str, ...] = ()
    also_on: tuple[str, ...] = ()
    change: str = ""
    url: str = ""
    trouble: str = ""


def promote(site: Site, request: PromotionRequest) -> Promotion:
    """Propose a promotion on a branch of its own. Doing it again changes nothing while it proposes the same.

    Args:
        site: the installation, whose records are the evidence.
        request: what to promote, where to and in whose name.

    Raises:
        CannotPromote: the environments or packages are not such that it could be; the branch holds commits of
            others; or it never stood still.
        NotVerified: a package that was asked for is not verified, or none of those that differ is.
        InvalidRevision: the branch that is followed does not validate as it is.
        InvalidChange: the change would not validate.
        RepositoryError: the repository cannot be reached, or refuses the commit; or nobody is its author.
    """
    mirror = mirror_of(site)
    author = author_of(mirror, request.author)
    waiver = _waiver(request.unverified)
    for _ in range(MOST_TRIES):
        fetch(mirror)
        basis = find_basis(site, mirror, request.target, request.source)
        promoted, left_out = choose(basis, request.packages, waived=bool(waiver))
        if not promoted:
            merged = merged_branches(basis)
            return Promotion(Fate.NOTHING, basis.source, basis.target, left_out=left_out, merged=merged)
        waived = waiver if not all(item.verification.verified for item in promoted) else ""
        try:
            proposed = replace(_propose(basis, promoted, waived, author), left_out=left_out)
        except BranchMoved:
            continue
        return _open_change(site, proposed)
    raise CannotPromote(
        f"the branch of the proposal moved {MOST_TRIES} times while it was made", hint="try again later"
    )


def _open_change(site: Site, promotion: Promotion) -> Promotion:
    """Open a change for what is pushed at the forge that the settings name, or bring its text up to date."""
    title, _, body = promotion.message.partition("\n\n")
    try:
        forge = forge_of(site)
        if forge is None:
            return promotion
        opened = forge.propose(promotion.branch, title, body)
    except (ForgeUnavailable, ForgeMisconfigured, CredentialMissing) as error:
        return replace(promotion, trouble=str(error))
    return replace(promotion, change=opened.change.name, url=opened.change.url)


def moment(seconds: float) -> str:
    """Return a time as proposals write it: in UTC, since people of several places read them."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _waiver(reason: str | None) -> str:
    if reason is None:
        return ""
    told = reason.strip()
    if not told or not told.isprintable() or len(told) > LONGEST_REASON:
        raise CannotPromote(
            f"{reason[:60]!r} is no reason to go on without verification",
            hint=f"write one line, {LONGEST_REASON} characters at most: it stands in the proposal's title",
        )
    return told


def _propose(basis: Basis, promoted: tuple[Promoted, ...], waiver: str, author: Person) -> Promotion:
    text = basis.text
    for item in promoted:
        text = set_version(text, item.package, basis.desired.versions_of(basis.source)[item.package])
    files = {basis.path: text}
    proposal = _proposal(basis, promoted, waiver, write_commit(basis.mirror, basis.head, files, author, "draft"))
    message = as_message(proposal, moment)
    branch = branch_for(basis, tuple(item.package for item in promoted))
    packages = {item.package for item in promoted}
    also_on = tuple(
        name
        for name, versions in open_proposals(basis).items()
        if name != branch.name and packages & versions.keys()
    )
    if _is_there(basis, branch, proposal, text):
        fate, commit = Fate.UNCHANGED, branch.commit or ""
    elif branch.state is BranchState.FOREIGN:
        raise CannotPromote(
            f"the branch {branch.name} holds commits that are not Reconciler's alone; nothing was changed",
            hint="merge it, or rename or delete it at your git host",
        )
    else:
        fate = Fate.UPDATED if branch.state is BranchState.OPEN else Fate.OPENED
        commit = write_commit(basis.mirror, basis.head, files, author, message)
        if waiver:
            of = {"target": basis.target, "packages": sorted(packages), "commit": commit}
            override = Override("unverified promotion", f"{author.name} <{author.email}>", waiver, of)
            basis.site.holds.record_override(override, basis.site.clock())
        push_as(basis.site, basis.mirror, author, commit, branch.name, branch.commit)
    return Promotion(fate, basis.source, basis.target, branch.name, commit, message, proposal, also_on=also_on)


def _is_there(basis: Basis, branch: ProposalBranch, proposal: Proposal, text: str) -> bool:
    """Return whether a branch proposes just this, and says so where something is waived."""
    if branch.commit is None or merging_changes(basis, branch) != {basis.path: text.encode("utf-8")}:
        return False
    updated_by_people = branch.state is BranchState.FOREIGN and not proposal.waiver
    return updated_by_people or basis.mirror.commit(branch.commit).subject == proposal.title


def _proposal(basis: Basis, promoted: tuple[Promoted, ...], waiver: str, draft: str) -> Proposal:
    """Return the proposal that a commit makes, once it is seen to validate."""
    site = basis.site
    loaded = load(basis.mirror, draft, site.settings.root, site.loads)
    if loaded.state is None:
        raise InvalidChange(tuple(f for f in loaded.findings if f.severity is Severity.ERROR))
    enrolled = placements(site)
    changes = wish_changes(basis.desired, loaded.state, enrolled)
    # Environments that inherit from the target get the versions as well.
    concerned = {basis.target, *(change.environment for change in changes)}
    hosts = [host for host in known_hosts(site, loaded.state) if host.environment in concerned]
    whole = plan(draft, hosts, site.clock(), site.settings.silent_seconds)
    packages = {item.package for item in promoted}
    steps = tuple(step for step in whole.steps if step.package in packages)
    return Proposal(
        basis.source,
        basis.target,
        promoted,
        waiver,
        changes,
        release_notes(loaded.state, changes),
        replace(whole, steps=steps),
        _reviewers(basis.desired, basis.target),
        needs_of(basis.desired, loaded.state, enrolled),
    )


def _reviewers(desired: DesiredState, target: str) -> tuple[Reviewers, ...]:
    """Return who owns an environment: the owners of its file, else those of its tenant, as in CODEOWNERS."""
    tenant = tenant_of(target)
    owners = desired.environments[target].owners
    if not owners and tenant is not None:
        owners = desired.tenants[tenant].owners
    return tuple(Reviewers(group, desired.groups.get(group, ())) for group in owners)
