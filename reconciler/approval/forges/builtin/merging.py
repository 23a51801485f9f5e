"""Words a merge commit: who asked, who pushed, who approved which head, who merged. Pure text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.approval.trailers import trailers

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
    """Return whether a commit's message has just these trailers."""
    return trailers(message) == facts.trailers()


def one_line(text: str, longest: int = 200) -> str:
    """Return what somebody wrote as one printable line."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def people(names: Sequence[str]) -> str:
    """Return names for a sentence."""
    return ", ".join(name or "somebody unknown" for name in names)
