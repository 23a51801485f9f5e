"""What every forge can do for us, the built-in review among them: the port that adapters implement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from reconciler.approval.evidence import Change, CheckState
from reconciler.kernel.errors import ReconcilerError


class ForgeUnavailable(ReconcilerError):
    """A forge cannot be asked now, or gave no usable answer: wait, and let nothing through meanwhile."""

    reference = "forge-unavailable"


@dataclass(frozen=True, slots=True)
class Queued:
    """A commit of a merge queue's, and the ref that the forge's repository has it under."""

    commit: str
    ref: str


@dataclass(frozen=True, slots=True)
class OpenChange:
    """A change that waits to be merged. ``number`` is the forge's own, ``branch`` what it asks to have merged.

    ``queued`` are the commits by which a merge queue tests merging it.
    """

    number: int
    branch: str
    change: Change
    queued: tuple[Queued, ...] = ()


class Reviews(Protocol):
    """Where it is known how commits came onto the branch. May raise `ForgeUnavailable`."""

    def merged_change(self, commit: str) -> Change | None:
        """Return the change by which a commit of the branch came in; ``None`` where it came by none.

        Args:
            commit: the full id of a first-parent commit: a merge, a squash, or the head of a fast-forward.
        """


class Forge(Reviews, Protocol):
    """One project at a forge. Every method may raise `ForgeUnavailable`; each may be called again with no harm."""

    def open_changes(self) -> tuple[OpenChange, ...]:
        """Return the changes that wait to be merged into the branch that is followed, the oldest first."""

    def propose(self, branch: str, title: str, body: str) -> OpenChange:
        """Open a change from ``branch``, or give the one that is open its title and description.

        Args:
            branch: a branch that is pushed already.
            title: one line.
            body: Markdown.
        """

    def set_status(self, commit: str, context: str, state: CheckState, text: str) -> None:
        """Show a status at a commit, in place of an earlier one of the same context.

        Args:
            commit: the full id of a change's head.
            context: what the status is about, such as ``reconciler/plan``.
            state: how it stands.
            text: one line of 140 characters at most.
        """

    def comment(self, number: int, marker: str, body: str) -> None:
        """Keep one comment on a change up to date: written once, and updated in place from then on.

        Args:
            number: the change's.
            marker: tells our comment from all others; goes into it where nobody sees it.
            body: Markdown.
        """
