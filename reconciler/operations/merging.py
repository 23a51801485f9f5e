"""Says what a change lacks before it may be merged: by the policy of every environment that it concerns."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from reconciler.approval.entries import (
    Entries,
    EntryBook,
    Rules,
    default_rules,
    differing,
    named,
    rules_of,
    with_entries,
)
from reconciler.approval.evidence import Evidence
from reconciler.approval.fitting import misfits
from reconciler.approval.git_evidence import evidence_of
from reconciler.desired.cache import LoadCache
from reconciler.desired.loading import load
from reconciler.desired.model import DesiredState
from reconciler.desired.repository import GitRepository, RepositoryError
from reconciler.operations.admitting import placements
from reconciler.operations.desired import mirror_of
from reconciler.operations.in_force import InForce
from reconciler.operations.judging import judged_by, own_entries, pgp_keys
from reconciler.site import Site

STALE = (
    "the merge would bring a value in that the head of the change does not have: "
    "merge the branch into the change, and have that approved"
)
"""Why a change cannot be merged of which an entry was changed on the branch meanwhile."""


def missing_approvals(
    site: Site, repository: GitRepository, evidence: Evidence, loads: LoadCache
) -> tuple[str, ...]:
    """Return why a merge that is yet to be made would not count; nothing where it would.

    An environment has a say where the merge holds an entry that neither the branch holds already nor is in force.
    It judges by the rules that are in force for it, as it will when the merge is on the branch. So what takes back
    something unapproved can be merged, and what mends a branch that does not validate.

    Args:
        site: the installation.
        repository: where the draft of the merge is.
        evidence: what is known of the draft: a merge of the change into the branch, that validates.
        loads: what earlier loads from that repository left.

    Raises:
        RepositoryError: the draft is not there.
    """
    up_to = site.approvals.up_to()
    if up_to is None:
        return ()
    prospect = _Prospect(site, repository, evidence, loads)
    in_force = InForce(site, mirror_of(site))
    reasons: list[str] = []
    for name in sorted({*prospect.after.environments, *in_force.admissions}):
        force = in_force.entries(name)
        rules = rules_of(force) if force else default_rules(in_force.state(up_to), name)
        if not rules.policy.demands_nothing:
            reasons += (f"{name}: {reason}" for reason in prospect.missing(name, force, rules))
    return tuple(reasons)


class _Prospect:
    """The draft of a merge, and what it consists of."""

    def __init__(self, site: Site, repository: GitRepository, evidence: Evidence, loads: LoadCache) -> None:
        self._repository, self._evidence = repository, evidence
        self._root, self._loads, self._placed = site.settings.root, loads, placements(site)
        self._now = site.clock()
        self._books: dict[str, EntryBook | None] = {}
        self._base, self._head = repository.commit(evidence.commit).parents
        # The neighbours of the draft first: a load is quick where few files differ from the last one.
        self._book(self._base)
        after = self._state(evidence.commit)
        assert after is not None, "only what validates is asked about"
        self.after: DesiredState = after
        self._books[evidence.commit] = EntryBook(after, self._placed)

    def missing(self, name: str, force: Entries, rules: Rules) -> Iterator[str]:
        """Yield what is missing for an environment."""
        entries = self._reader(name)
        after, before = entries(self._evidence.commit), entries(self._base)
        assert after is not None
        differs = differing(force, after)
        new = differs if before is None else {k: v for k, v in differs.items() if k in differing(before, after)}
        if not new:
            return
        try:
            own = own_entries(self._repository, self._head, self._base, entries)
        except RepositoryError as error:
            yield f"it cannot be judged: {error.what}"
            return
        keyring = pgp_keys(rules.people.values())
        evidence = evidence_of(
            self._repository, self._evidence.commit, self._evidence.change, keyring, received_at=self._now
        )
        yield from judged_by(rules, evidence).reasons
        stale = [key for key, value in new.items() if key not in own or own[key] != value]
        if stale:
            yield f"{named(stale)}: {STALE}"
        else:
            yield from misfits(with_entries(force, new))

    def _reader(self, name: str) -> Callable[[str], Entries | None]:
        def entries(commit: str) -> Entries | None:
            book = self._book(commit)
            return book.of(name) if book is not None else None

        return entries

    def _book(self, commit: str) -> EntryBook | None:
        if commit not in self._books:
            state = self._state(commit)
            self._books[commit] = EntryBook(state, self._placed) if state is not None else None
        return self._books[commit]

    def _state(self, commit: str) -> DesiredState | None:
        return load(self._repository, commit, self._root, self._loads).state
