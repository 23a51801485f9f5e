"""The book of changes: what is on record of each, and how that follows from the branches. Moves no branch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from reconciler.approval.evidence import Approval, Change, CheckState
from reconciler.desired.people import Identity
from reconciler.desired.repository import Commit
from reconciler.kernel.errors import ReconcilerError
from reconciler.presentation.terminal import for_terminal
from reconciler.review.merging import LONGEST_LINE, MergeFacts
from reconciler.review.repository import BRANCHES, HostedRepository
from reconciler.store.accounts import AccountStore
from reconciler.store.changes import (
    ChangeRecord,
    ChangeState,
    ChangeStore,
    NewChange,
    ReviewRecord,
    Word,
)
from reconciler.store.pushes import NO_COMMIT, PushRecord, PushStore, RefUpdate

UNKNOWN: Identity = "unknown"
"""Who pushed where nobody announced it: no account, so nobody can be told apart from them."""


class NoSuchChange(ReconcilerError):
    """A change that there is not."""

    reference = "no-such-change"


class ChangeBook:
    """What is on record of changes, pushes and people.

    Args:
        changes: the changes.
        pushes: who pushed what.
        accounts: who is who.
        url: gives the server's address.
        clock: gives the time in seconds since the epoch.
    """

    def __init__(
        self,
        changes: ChangeStore,
        pushes: PushStore,
        accounts: AccountStore,
        url: Callable[[], str],
        clock: Callable[[], float],
    ) -> None:
        self.changes = changes
        self.clock = clock
        self._pushes = pushes
        self._accounts = accounts
        self._url = url

    def find(self, number: int) -> ChangeRecord:
        """Return a change.

        Raises:
            NoSuchChange: there is none of this number.
        """
        record = self.changes.find(number)
        if record is None:
            raise NoSuchChange(f"there is no change {number}", hint="reconciler change list shows which there are")
        return record

    def announce(self, account: str, updates: Sequence[RefUpdate]) -> None:
        """Put down what somebody is about to push."""
        self._pushes.announce(account, updates, self.clock())

    def settle(self, refs: Mapping[str, str]) -> None:
        """Say of each push that was announced whether it took place, by where the branches are."""
        self._pushes.settle(refs, self.clock())

    def follow(self, repository: HostedRepository, head: str) -> None:
        """Bring changes in step with the branches: open, move, merge and close them as these show.

        Args:
            repository: where the branches are.
            head: where the branch is that is followed.
        """
        refs = repository.refs()
        open_ones = {}
        for record in self.changes.of_state(ChangeState.OPEN):
            if record.merge_commit and repository.is_merged(record.merge_commit, head):
                self._merged(record)
                continue
            now = refs.get(BRANCHES + record.branch)
            if now is None:
                self.changes.closed(record.number, "", "its branch was deleted", self.clock())
            elif repository.is_merged(now, head):
                self.changes.closed(record.number, "", "its branch has nothing that is not merged", self.clock())
            else:
                open_ones[record.branch] = record
                if now != record.head:
                    self._moved(repository, record, now, head)
        for ref, now in sorted(refs.items()):
            branch = ref.removeprefix(BRANCHES)
            if branch not in (repository.branch, *open_ones) and not repository.is_merged(now, head):
                self._opened(repository, branch, now, head)

    def say(self, record: ChangeRecord, account: str, word: Word, comment: str) -> None:
        """Keep what somebody says of a change at its head."""
        said = ReviewRecord(0, record.number, self.clock(), account, word, record.head, comment)
        self.changes.add_review(said)

    def close(self, record: ChangeRecord, account: str, why: str) -> None:
        """Say that somebody closed a change."""
        self.changes.closed(record.number, account, why, self.clock())

    def will_merge(self, record: ChangeRecord, commit: str, account: str) -> None:
        """Put down by which commit somebody is about to merge a change."""
        self.changes.will_merge(record.number, commit, account, self.clock())

    def pushers(self, record: ChangeRecord) -> tuple[str, ...]:
        """Return the accounts that pushed to a change, the last first; an empty one for nobody who is known."""
        pushes = self._pushes.of_ref(BRANCHES + record.branch, record.first_push, record.last_push)
        return tuple(dict.fromkeys(push.account for push in reversed(pushes)))

    def standing_approvals(self, record: ChangeRecord) -> tuple[ReviewRecord, ...]:
        """Return the approvals that stand; none where nobody knows who pushed, as it may be who approved."""
        if "" in self.pushers(record):
            return ()
        return tuple(word for word in self.last_words(record) if word.verdict is Word.APPROVED)

    def counting_approvals(self, record: ChangeRecord) -> tuple[ReviewRecord, ...]:
        """Return the approvals that may count: those that stand, but for those by accounts that were removed."""
        removed = {account.name for account in self._accounts.all() if account.removed_at is not None}
        return tuple(word for word in self.standing_approvals(record) if word.account not in removed)

    def cannot_count(self, record: ChangeRecord, account: str) -> str:
        """Return why an approval of this account can never count for a change as it is; empty where it can."""
        pushers = self.pushers(record)
        if "" in pushers:
            return "nobody knows who pushed to this change: close it, and push it to a branch of another name"
        if account in (record.requester, *pushers):
            return f"{account} pushed to this change, so the approval is kept but does not count"
        return ""

    def last_words(self, record: ChangeRecord) -> tuple[ReviewRecord, ...]:
        """Return whether each person approves or rejects a change, by their last word on it, the oldest first."""
        words = self.changes.reviews(record.number)
        last = {word.account: word for word in words if word.verdict is not Word.COMMENTED}
        return tuple(sorted(last.values(), key=lambda word: word.number))

    def facts(self, record: ChangeRecord, merged_by: str) -> MergeFacts:
        """Return what the merge commit of a change is to say."""
        approvals = tuple((word.account, word.head) for word in self.standing_approvals(record))
        return MergeFacts(
            record.number, record.title, record.requester, self.pushers(record), approvals, merged_by
        )

    def change(self, record: ChangeRecord, commits: Sequence[Commit]) -> Change:
        """Return a change in the words of evidence.

        Args:
            record: the change.
            commits: what it brings in.
        """
        removed = {account.name for account in self._accounts.all() if account.removed_at is not None}
        rejecting = [word for word in self.last_words(record) if word.verdict is Word.REJECTED]
        merged = record.state is ChangeState.MERGED
        # Who pushed wrote a part of it, whatever the commits say: their authors are what somebody wrote there.
        pushers = tuple(map(_identity, self.pushers(record)))
        return Change(
            name=f"#{record.number}",
            url=f"{self._url()}/api/changes/{record.number}",
            title=record.title,
            requester=_identity(record.requester),
            head=record.head,
            opened_at=record.opened_at,
            approvals=tuple(_approval(word, removed) for word in self.standing_approvals(record)),
            rejections=tuple(_identity(word.account) for word in rejecting if word.account not in removed),
            authors=tuple(dict.fromkeys((*self._authors(commits), *pushers))),
            pushers=pushers[:1],
            checks={s.context: CheckState(s.state) for s in self.changes.statuses(record.head)},
            merged_by=_identity(record.ended_by) if merged else "",
            merged_at=record.ended_at or 0.0 if merged else 0.0,
            ref="" if merged else f"refs/heads/{record.branch}",
        )

    def _authors(self, commits: Sequence[Commit]) -> tuple[Identity, ...]:
        """Return who wrote or committed: the account whose mail address it is, else the address."""
        known = {account.mail.casefold(): account.name for account in self._accounts.all()}
        mails = dict.fromkeys(mail for c in commits for mail in (c.author_email, c.committer_email))
        return tuple(f"@{known[m.casefold()]}" if m.casefold() in known else m for m in mails)

    def _opened(self, repository: HostedRepository, branch: str, now: str, head: str) -> None:
        """Open a change for a branch that has something to merge, unless it was closed just as it is."""
        before = self.changes.last_of_branch(branch)
        closed = before is not None and before.state is ChangeState.CLOSED
        if before is not None and closed and before.head == now:
            return
        push = self._push_to(branch, NO_COMMIT, now)
        requester, first = push.account, push.number
        if before is not None and closed:  # what was pushed to it then may still be in it
            requester, first = before.requester, before.first_push
        title, body = self._words(repository, now, head)
        made = self.changes.open(NewChange(branch, title, body, requester, now, first, push.number), self.clock())
        repository.pin(made.number, now)

    def _moved(self, repository: HostedRepository, record: ChangeRecord, now: str, head: str) -> None:
        repository.pin(record.number, now)
        self.changes.moved(record.number, now, self._push_to(record.branch, record.head, now).number)
        if not record.described:
            self.changes.describe(record.number, *self._words(repository, now, head), stays=False)

    def _merged(self, record: ChangeRecord) -> None:
        told = {
            "change": record.number,
            "commit": record.merge_commit,
            "head": record.head,
            "by": record.ended_by,
            "requester": record.requester,
            "pushers": list(self.pushers(record)),
            "approvals": [list(item) for item in self.facts(record, record.ended_by).approvals],
        }
        self.changes.merged(record.number, told, self.clock())

    def _push_to(self, branch: str, old: str, new: str) -> PushRecord:
        return self._pushes.explain(RefUpdate(BRANCHES + branch, old, new), self.clock())

    def _words(self, repository: HostedRepository, now: str, head: str) -> tuple[str, str]:
        """Return title and description of a change: those of its first commit."""
        first = repository.commits(head, now)[0]
        title = for_terminal(first.subject.strip(), LONGEST_LINE)
        return title or first.id[:10], repository.paragraph(first.id)


def _approval(word: ReviewRecord, removed: Collection[str]) -> Approval:
    """Return an approval. That of a removed account counts for nothing that is not in force yet."""
    void = f"the account {word.account} was removed" if word.account in removed else ""
    return Approval(_identity(word.account), word.head, word.at, void=void)


def _identity(account: str) -> Identity:
    return f"@{account}" if account else UNKNOWN
