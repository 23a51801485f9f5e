"""The built-in review itself: keeps changes in step with branches, takes people's word, and merges.

Everything is worked out from the repository and the store, and may be asked again at any time. What moves a branch
is done by one at a time, put down before it happens, and found again after a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from reconciler.approval.evidence import Evidence
from reconciler.desired.findings import Finding, Severity
from reconciler.desired.loading import Loaded
from reconciler.desired.repository import Commit, GitRepository
from reconciler.kernel.errors import ReconcilerError
from reconciler.presentation.terminal import for_terminal
from reconciler.review.changed_files import ChangedFile
from reconciler.review.changes import ChangeBook
from reconciler.review.daemon_key import DaemonKey
from reconciler.review.merging import LONGEST_LINE
from reconciler.review.repository import (
    BRANCHES,
    MOST_COMMITS,
    Conflict,
    HostedRepository,
    Signed,
)
from reconciler.review.turns import Turn
from reconciler.store.accounts import AccountRecord
from reconciler.store.changes import ChangeRecord, ChangeState, Word
from reconciler.store.pushes import RefUpdate

T = TypeVar("T")

MayMerge = Callable[[GitRepository, Evidence], Sequence[str]]
"""Says why a change may not be merged, by the commit (on no branch yet) that would merge it; nothing if it may."""

Load = Callable[[str], Loaded]
"""Gives the desired state at a commit of the repository, or what is wrong with it."""

LONGEST_COMMENT = 10_000
"""Characters of what somebody says of a change."""

_SERVER = ("Reconciler", "reconciler@localhost")


class ChangeRefused(ReconcilerError):
    """Something that cannot be done to a change as it stands."""

    reference = "change-refused"


@dataclass(frozen=True, slots=True)
class Prospect:
    """What merging a change would come to.

    ``base`` is the commit that it would be merged into, ``draft`` the merge itself (kept, and on no branch); empty
    where there is a conflict. ``missing`` are the reasons why it cannot be merged, ``findings`` the errors among
    them.
    """

    base: str
    draft: str
    commits: tuple[Commit, ...]
    files: tuple[ChangedFile, ...]
    findings: tuple[Finding, ...]
    missing: tuple[str, ...]


class Review:
    """Changes of one hosted repository.

    Args:
        repository: where the branches are.
        book: what is on record of changes.
        key: signs merges.
        load: gives the desired state at a commit of the repository, or what is wrong with it.
        may_merge: the policy.
    """

    def __init__(
        self, repository: HostedRepository, book: ChangeBook, key: DaemonKey, load: Load, may_merge: MayMerge
    ) -> None:
        self.repository = repository
        self.book = book
        self._key = key
        self.load = load
        self._may_merge = may_merge
        self._moving = Turn(repository.folder / "reconciler.lock")

    def look(self) -> None:
        """Bring what is on record in step with the branches as they are."""
        with self._moving:
            self.book.settle(self.repository.refs())
            head = self.repository.refs().get(BRANCHES + self.repository.branch)
            if head is not None:
                self.book.follow(self.repository, head)

    def push(self, account: str, updates: Sequence[RefUpdate], run: Callable[[], T]) -> T:
        """Let somebody push, and keep who it was; it is on record before any ref moves.

        Args:
            account: who pushes.
            updates: what is to move.
            run: does it, and returns when it is done.
        """
        with self._moving:
            self.look()
            self.book.announce(account, updates)
            try:
                return run()
            finally:
                self.look()

    def find(self, number: int) -> ChangeRecord:
        """Return a change as it stands.

        Raises:
            NoSuchChange: there is none of this number.
        """
        self.look()
        return self.book.find(number)

    def prospect(self, record: ChangeRecord) -> Prospect:
        """Return what merging a change would come to, or what its merge came to."""
        if record.state is ChangeState.MERGED:
            base = self.repository.git.commit(record.merge_commit).parents[0]
            return self._described(record, base, record.merge_commit, (), ())
        base = self.repository.git.head(self.repository.branch)
        try:
            draft = self._draft(record, base)
        except Conflict as error:
            return self._described(record, base, "", (), (error.what,))
        findings = self._findings(draft)
        missing = [f"it does not validate: {len(findings)} error(s)"] if findings else []
        if len(self.repository.commits(base, record.head)) > MOST_COMMITS:
            missing.append(f"it has more than {MOST_COMMITS} commits: propose it in parts")
        if not findings:
            change = self.book.change(record, self.repository.commits(base, record.head))
            missing += self._may_merge(self.repository.git, Evidence(draft, change))
        if record.state is ChangeState.CLOSED:
            missing.append("it was closed")
        return self._described(record, base, draft, findings, tuple(missing))

    def say(self, account: str, number: int, word: Word, head: str | None, comment: str) -> ChangeRecord:
        """Keep that somebody approves or rejects a change as it is now, and return it.

        Args:
            account: who says so.
            number: the change's.
            word: what they say.
            head: the head that they looked at, or its beginning; ``None`` for whatever it is now.
            comment: why.

        Raises:
            NoSuchChange: there is none of this number.
            ChangeRefused: it is not open, or its head is another.
        """
        with self._moving:
            record = self._open(number, head)
            self.book.say(record, account, word, comment[:LONGEST_COMMENT])
        return record

    def close(self, account: str, number: int, comment: str) -> ChangeRecord:
        """End a change without merging it. Its branch stays; a later push to it opens another change.

        Raises:
            NoSuchChange: there is none of this number.
            ChangeRefused: it is not open.
        """
        with self._moving:
            record = self._open(number, None)
            self.book.close(record, account, for_terminal(comment.strip(), LONGEST_LINE))
            return self.book.find(number)

    def merge(self, account: AccountRecord, number: int, head: str | None) -> ChangeRecord:
        """Merge a change into the branch by a commit that the daemon signs, and return it as merged.

        Args:
            account: who merges.
            number: the change's.
            head: the head that they looked at, or its beginning; ``None`` for whatever it is now.

        Raises:
            NoSuchChange: there is none of this number.
            ChangeRefused: it is not open, its head is another, or something is missing.
        """
        with self._moving:
            record = self._open(number, head)
            prospect = self.prospect(record)
            if prospect.missing:
                raise ChangeRefused(
                    f"change {number} cannot be merged: " + "; ".join(prospect.missing),
                    hint=f"reconciler change show {number} says what is missing",
                )
            commit = self._merge_commit(record, account, prospect)
            self.book.will_merge(record, commit, account.name)
            branch = BRANCHES + self.repository.branch
            if not self.repository.move(branch, prospect.base, commit):
                raise ChangeRefused(f"{self.repository.branch} moved meanwhile", hint="merge it again")
            self.look()
            self.repository.move(BRANCHES + record.branch, record.head, None)
            return self.book.find(number)

    def _open(self, number: int, head: str | None) -> ChangeRecord:
        self.look()
        record = self.book.find(number)
        if record.state is not ChangeState.OPEN:
            raise ChangeRefused(
                f"change {number} was {record.state} already", hint="reconciler change list shows what is open"
            )
        if head is not None and (len(head) < 7 or not record.head.startswith(head.lower())):
            raise ChangeRefused(
                f"change {number} is at {record.head[:10]} now, not at {head[:10]}",
                hint=f"look at it again: reconciler change show {number}",
            )
        return record

    def _draft(self, record: ChangeRecord, base: str) -> str:
        """Keep the commit that a merge would make, as far as it is known. The same again is the same commit."""
        at = float(self.repository.git.commit(record.head).committed_at)
        server = Signed(*_SERVER, at)
        tree = self.repository.merge_tree(base, record.head)
        message = self.book.facts(record, "nobody yet").message()
        text = self.repository.commit_text(tree, (base, record.head), (server, server), message)
        return self.repository.keep_commit(text)

    def _merge_commit(self, record: ChangeRecord, account: AccountRecord, prospect: Prospect) -> str:
        now = self.book.clock()
        tree = self.repository.git.folder_id(prospect.draft)
        assert tree is not None
        who = (Signed(account.name, account.mail, now), Signed(*_SERVER, now))
        message = self.book.facts(record, account.name).message()
        text = self.repository.commit_text(tree, (prospect.base, record.head), who, message)
        return self.repository.keep_commit(text, self._key.sign(text.encode()))

    def _findings(self, commit: str) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.load(commit).findings if finding.severity is Severity.ERROR)

    def _described(
        self,
        record: ChangeRecord,
        base: str,
        draft: str,
        findings: tuple[Finding, ...],
        missing: tuple[str, ...],
    ) -> Prospect:
        commits = self.repository.commits(base, record.head)
        files = self.repository.changed_files(base, draft) if draft else ()
        return Prospect(base, draft, commits, files, findings, missing)
