"""Reads the documentation: its pages, their sections, tables, code and links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)


def page_id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the documentation, or a section of it."""

    text: str

    @classmethod
    def of(cls, name: str) -> Page:
        return cls((ROOT / "docs" / name).read_text("utf-8"))

    @property
    def prose(self) -> str:
        """The text without its blocks of code."""
        return _FENCE.sub("", self.text)

    def blocks(self) -> Iterator[tuple[str, str]]:
        """Each block of code: its language and what is in it."""
        for found in _FENCE.finditer(self.text):
            yield found[1], found[2]

    def headings(self) -> list[str]:
        return [found[2] for found in _HEADING.finditer(self.prose)]

    def section(self, heading: str) -> Page:
        """The text below a heading, up to the next of its level or above."""
        found = re.search(rf"^(#+) {re.escape(heading)}$", self.text, re.MULTILINE)
        if found is None:
            pytest.fail(f"there is no heading {heading!r}", pytrace=False)
        after = self.text[found.end() :]
        # A shell comment looks like a heading; those of the documentation have a page to themselves or two marks.
        end = re.search(rf"^#{{2,{max(len(found[1]), 2)}}} ", after, re.MULTILINE)
        return Page(after[: end.start()] if end else after)

    def rows(self) -> list[list[str]]:
        """The cells of every table row, heads and rules left out."""
        rows = []
        lines = self.prose.splitlines()
        for index, line in enumerate(lines):
            is_head = index + 1 < len(lines) and re.fullmatch(r"\|[-|]+\|", lines[index + 1])
            if line.startswith("|") and not is_head and not re.fullmatch(r"\|[-|]+\|", line):
                rows.append([cell.strip() for cell in line.strip("|").split("|")])
        return rows

    def entries(self) -> list[str]:
        """What stands in code in the first cells: the things that tables have an entry for."""
        return [entry for row in self.rows() for entry in re.findall(r"`([^`]+)`", row[0])]
