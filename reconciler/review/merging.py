"""Words a merge commit: who asked, who pushed, who approved which head, who merged. Pure text."""

from __future__ import annotations

import re
from dataclasses import dataclass

LONGEST_LINE = 200
"""Characters of a title or a comment in one line."""

NOBODY = "unknown"
"""Stands for a pusher who is not known; no account can have this name."""


@dataclass(frozen=True, slots=True)
class MergeFacts:
    """What a merge commit says of its change. People are accounts by name; each approval has its head."""

    number: int
    title: str
    requester: str
    pushers: tuple[str, ...]
    approvals: tuple[tuple[str, str], ...]
    merged_by: str

    def trailers(self) -> tuple[tuple[str, str], ...]:
        """Return them as they stand at the end of the message."""
        return (
            ("Change", str(self.number)),
            ("Requested-by", self.requester or NOBODY),
            *(("Pushed-by", name or NOBODY) for name in self.pushers),
            *(("Approved-by", f"{name} ({head})") for name, head in self.approvals),
            ("Merged-by", self.merged_by),
        )

    def message(self) -> str:
        """Return the message of the merge commit."""
        return "\n".join(
            (
                f"Merge change {self.number}: {self.title}",
                "",
                *(f"{key}: {text}" for key, text in self.trailers()),
                "",
            )
        )


def says_so(message: str, facts: MergeFacts) -> bool:
    """Return whether the last paragraph of a commit's message is just these trailers."""
    last = re.split(r"\n[ \t]*\n", message.strip())[-1]
    return tuple(last.splitlines()) == tuple(f"{key}: {text}" for key, text in facts.trailers())
