"""Judges the commits of the branch: what their changes hold, as git has it, and who approved them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from reconciler.approval.admission import Decision, Ruling
from reconciler.approval.entries import Entries, EntryBook, Key, Rules, differing
from reconciler.approval.evidence import Change, Evidence
from reconciler.approval.forge import ForgeUnavailable, Reviews
from reconciler.approval.git_evidence import evidence_of
from reconciler.approval.policy import Judgement, judge
from reconciler.desired.approvals import Person
from reconciler.desired.mirror import FetchError, fetch_ref
from reconciler.desired.model import DesiredState
from reconciler.desired.people import People
from reconciler.desired.public_keys import PGP_BEGIN
from reconciler.desired.repository import GitRepository, RepositoryError
from reconciler.site import Site

ASK_AGAIN_SECONDS = 30.0
"""Seconds before the forge is asked once more about a commit that it was not enough for."""

MOST_IN_ONE = 100
"""Commits of one change that came onto the branch one by one."""

NO_EMERGENCY = "what it alters cannot be told, since the commit before it does not validate: mend that one first"
"""Why an emergency does not count that builds on a commit which does not validate."""

MERGED_REFS = "refs/reconciler/merged/"
"""The refs in the mirror that keep the heads of squashed or rebased changes while something waits."""

States = Callable[[str], DesiredState | None]
Books = Callable[[DesiredState], EntryBook]


class Bench:
    """Judges commits for every environment, each by its own rules.

    Args:
        site: the installation.
        mirror: the mirror of the desired-state repository.
        reviews: where it is known how commits came onto the branch.
        states: gives the state at a commit; ``None`` where it does not validate.
        books: gives the entries of a state.
    """

    def __init__(self, site: Site, mirror: GitRepository, reviews: Reviews, states: States, books: Books) -> None:
        self._site, self._mirror, self._reviews = site, mirror, reviews
        self._states, self._books = states, books

    def judge(self, commit: str, environment: str, rules: Rules, keys: frozenset[Key]) -> Ruling | None:
        """Judge a commit, asking the forge how it came in where that is not known yet, or was not enough."""
        parent = self._parent(commit)
        try:
            touched = self._touched(commit, parent, environment)
            if touched is not None and keys.isdisjoint(touched) and not self._squashed(commit, keys, environment):
                return None
            change = self._change(commit)
            head, start = self._range(commit, parent, change, rules)
            keyring, received = pgp_keys(rules.people.values()), self._received(commit)
            evidence = evidence_of(self._mirror, commit, change, keyring, start, received)
            judged = judged_by(rules, evidence)
            if judged.emergency:
                return _refused(environment, commit, NO_EMERGENCY)
            if not head:
                own: Entries = dict.fromkeys(touched if touched is not None else keys)
                return Ruling(Decision(environment, commit, replace(judged, approved=False)), own)
            own = own_entries(self._mirror, head, start, self._reader(environment))
        except ForgeUnavailable as error:
            reason = f"cannot find out who approved it: {error.what}"
            return _refused(environment, commit, reason, known=False)
        except RepositoryError as error:
            return _refused(environment, commit, f"it cannot be judged: {error.what}")
        names = tuple(" ".join(key) for key in own)
        return Ruling(Decision(environment, commit, judged, entries=names), own)

    def emergency(self, commit: str, environment: str, rules: Rules, *, replayed: bool) -> Ruling | None:
        """Judge a commit by what it claims itself; no forge is needed for that."""
        try:
            keyring, received = pgp_keys(rules.people.values()), self._received(commit)
            evidence = evidence_of(self._mirror, commit, None, keyring, received_at=received)
            if not evidence.emergency:
                return None
            judged = judged_by(rules, evidence)
            if not (judged.approved and judged.emergency):
                return None
            if replayed and environment in self._site.approvals.decisions(commit):
                return None
            own = own_entries(self._mirror, commit, self._parent(commit), self._reader(environment))
        except RepositoryError:
            return None
        return Ruling(Decision(environment, commit, judged, entries=tuple(" ".join(key) for key in own)), own)

    def _reader(self, environment: str) -> Callable[[str], Entries | None]:
        def entries(commit: str) -> Entries | None:
            state = self._states(commit)
            return self._books(state).of(environment) if state is not None else None

        return entries

    def _parent(self, commit: str) -> str:
        return next(iter(self._mirror.commit(commit).parents), "")

    def _touched(self, commit: str, parent: str, environment: str) -> frozenset[Key] | None:
        """Return the entries that a commit alters, or that what it merges does; ``None`` where that is unclear."""
        parents = self._mirror.commit(commit).parents
        entries = self._reader(environment)
        was, now = entries(parent) if parent else {}, entries(commit)
        if was is None or now is None:
            return None
        merged = own_entries(self._mirror, parents[1], parent, entries) if len(parents) == 2 else {}
        return frozenset((*differing(was, now), *merged))

    def _squashed(self, commit: str, keys: frozenset[Key], environment: str) -> bool:
        """Return whether a commit that alters none of these entries is the squash of a change that does.

        Somebody may have pushed the same value before, past the review. The forge is asked only once for this.
        """
        parents = self._mirror.commit(commit).parents
        if len(parents) != 1 or not self._site.settings.forge:
            return False
        known = self._site.approvals.reviewed(commit)
        change = known.change if known is not None else self._change(commit)
        if change is None:
            return False
        self._bring(change)
        return not keys.isdisjoint(own_entries(self._mirror, change.head, parents[0], self._reader(environment)))

    def _range(self, commit: str, parent: str, change: Change | None, rules: Rules) -> tuple[str, str]:
        """Return the head whose entries were approved, and what the branch was before it came in.

        The head is empty where no change is known and the policy asks for approvals of one.
        """
        if change is None:
            parents = self._mirror.commit(commit).parents
            if rules.policy.required or len(parents) > 2:
                return "", ""
            return (parents[1] if len(parents) == 2 else commit), parent
        self._bring(change)
        start = parent
        if change.head == commit:  # a fast-forward, perhaps of several commits
            for _ in range(MOST_IN_ONE):
                before = self._change(start) if start else None
                if before is None or (before.name, before.head) != (change.name, change.head):
                    break
                start = self._parent(start)
        return change.head, start

    def _bring(self, change: Change) -> None:
        """Have a change's head in the mirror: after a squash or a rebase it is on no branch.

        Raises:
            RepositoryError: it cannot be fetched.
        """
        if change.head in self._mirror.handle():
            return
        what = f"the head {change.head[:10]} of {change.name} is not in the repository any more"
        hint = "merge by a merge commit, or keep the branches of changes"
        if not change.ref:
            raise RepositoryError(what, where=str(self._mirror.folder), hint=hint)
        try:
            fetch_ref(self._mirror, change.ref, MERGED_REFS + change.head)
        except FetchError as error:
            raise RepositoryError(f"{what}: {error.what}", where=error.where, hint=hint) from error
        if change.head not in self._mirror.handle():
            raise RepositoryError(what, where=str(self._mirror.folder), hint=hint)

    def _received(self, commit: str) -> float:
        return self._site.approvals.received(commit, self._site.clock())

    def _change(self, commit: str) -> Change | None:
        """Return by which change a commit came in. A forge is not asked too often; what is known here, always."""
        store, now = self._site.approvals, self._site.clock()
        known = store.reviewed(commit)
        patience = ASK_AGAIN_SECONDS if self._site.settings.forge else 0.0
        if known is not None and now - known.at < patience:
            return known.change
        try:
            change = self._reviews.merged_change(commit)
        except ForgeUnavailable:
            if known is not None:
                return known.change
            raise
        store.record_reviewed(commit, change, now)
        return change


def judged_by(rules: Rules, evidence: Evidence) -> Judgement:
    """Return whether what is known of a commit satisfies the rules of an environment."""
    return judge(rules.policy, People(rules.people, rules.groups), rules.emergency, evidence)


def own_entries(
    repository: GitRepository, head: str, base: str, entries: Callable[[str], Entries | None]
) -> dict[Key, object]:
    """Return the entries that a change alters, each as its head has it: what an approval of the head covers.

    Args:
        repository: where both commits are.
        head: the change's last commit.
        base: the commit of the branch that it is to be merged into; empty where there is none.
        entries: gives the environment's entries at a commit; ``None`` where it does not validate.

    Raises:
        RepositoryError: the head, or what it builds on, does not validate; so nothing can be said of its entries.
    """
    starts = repository.merge_bases(base, head) if base else ()
    if base and not starts:
        raise RepositoryError("it has no history in common with the branch", where=str(repository.folder))
    now = entries(head)
    if now is None:
        raise RepositoryError(f"its head {head[:10]} does not validate by itself", where=str(repository.folder))
    found: dict[Key, object] | None = None
    for start in starts:
        was = entries(start)
        if was is None:
            what = f"{start[:10]}, which its head builds on, does not validate"
            raise RepositoryError(what, where=str(repository.folder), hint="build it on a commit that does")
        altered = differing(was, now)
        # Where the two have several ancestors, what any of them has already is not the change's own.
        found = altered if found is None else {key: value for key, value in found.items() if key in altered}
    return dict(now) if found is None else found


def pgp_keys(people: Iterable[Person]) -> tuple[str, ...]:
    """Return the OpenPGP keys of people."""
    return tuple(key for person in people for key in person.keys if key.strip().startswith(PGP_BEGIN))


def _refused(environment: str, commit: str, reason: str, *, known: bool = True) -> Ruling:
    return Ruling(Decision(environment, commit, Judgement(approved=False, reasons=(reason,)), known), {})
