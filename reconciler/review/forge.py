"""The built-in review as a forge. A merge counts if the daemon signed it and the store agrees."""

from __future__ import annotations

from reconciler.approval.evidence import Change, CheckState
from reconciler.approval.forge import ForgeUnavailable, OpenChange
from reconciler.approval.ssh_signatures import BadSignature, verify
from reconciler.desired.repository import RepositoryError
from reconciler.presentation.terminal import for_terminal
from reconciler.review.daemon_key import DaemonKey
from reconciler.review.merging import LONGEST_LINE, says_so
from reconciler.review.repository import BRANCHES
from reconciler.review.review import Review
from reconciler.store.changes import ChangeRecord, ChangeState, StatusRecord


class BuiltInForge:
    """What the built-in review says, in the words of every forge.

    Args:
        review: the changes.
        key: the key that merges are signed by.
    """

    def __init__(self, review: Review, key: DaemonKey) -> None:
        self._review = review
        self._book = review.book
        self._repository = review.repository
        self._key = key

    def merged_change(self, commit: str) -> Change | None:
        """Return the change that a commit merged: signed by the daemon, and just as the store has it.

        Neither is enough alone. Who can push could word a commit like ours but not sign it; who can write to the
        database could not sign it either; and a key that leaked signs nothing that the store knows.
        """
        try:
            self._review.look()
            record = self._book.changes.merged_by(commit)
            if record is None or not self._is_ours(commit, record):
                return None
            base = self._repository.git.commit(commit).parents[0]
            return self._book.change(record, self._repository.commits(base, record.head))
        except RepositoryError as error:
            raise _unavailable(error) from error

    def open_changes(self) -> tuple[OpenChange, ...]:
        """Return the changes that wait, the oldest first."""
        try:
            self._review.look()
            return tuple(self._shown(record) for record in self._book.changes.of_state(ChangeState.OPEN))
        except RepositoryError as error:
            raise _unavailable(error) from error

    def propose(self, branch: str, title: str, body: str) -> OpenChange:
        """Give the change of a branch its title and description. It is there since the branch was pushed."""
        try:
            self._review.look()
            record = self._book.changes.last_of_branch(branch)
            if record is None or record.state is not ChangeState.OPEN:
                raise ForgeUnavailable(
                    f"there is no change of the branch {branch}", hint="push a commit to it that is not merged yet"
                )
            self._book.changes.describe(record.number, for_terminal(title, LONGEST_LINE), body, stays=True)
            return self._shown(self._book.find(record.number))
        except RepositoryError as error:
            raise _unavailable(error) from error

    def set_status(self, commit: str, context: str, state: CheckState, text: str) -> None:
        """Keep how a check of a commit stands."""
        status = StatusRecord(context, self._book.clock(), state, for_terminal(text, LONGEST_LINE))
        self._book.changes.set_status(commit, status)

    def comment(self, number: int, marker: str, body: str) -> None:
        """Keep a note of a change."""
        self._book.changes.note(number, marker, body, self._book.clock())

    def _is_ours(self, commit: str, record: ChangeRecord) -> bool:
        signed = self._repository.signature(commit)
        if signed is None:
            return False
        try:
            signer = verify(*signed)
        except BadSignature:
            return False
        facts = self._book.facts(record, record.ended_by)
        message = self._repository.git.message(commit)
        parents = self._repository.git.commit(commit).parents
        return (
            signer == self._key.public.fingerprint
            and len(parents) == 2
            and parents[1] == record.head
            and says_so(message, facts)
        )

    def _shown(self, record: ChangeRecord) -> OpenChange:
        head = self._repository.refs()[BRANCHES + self._repository.branch]
        commits = self._repository.commits(head, record.head)
        return OpenChange(record.number, record.branch, self._book.change(record, commits))


def _unavailable(error: RepositoryError) -> ForgeUnavailable:
    return ForgeUnavailable(error.what, where=error.where, hint=error.hint)
