"""Untrusted text for the Markdown of GitHub, GitLab, Azure DevOps and Forgejo, and for commit messages."""

from __future__ import annotations

import re

from reconciler.kernel.visible_text import visible
from reconciler.presentation.terminal import LONGEST_VALUE, for_terminal, shortened

_BREAK = "\u200b"
"""Marks where a reference is broken. Input cannot contain it: `visible` has escaped it."""

_REFERENCES = re.compile(
    r"""
    @                             # people and groups: @name, mail addresses, commits as owner/name@id
    | [#!$~%](?=[\w"'])           # issues, changes, snippets: #1, !1, $1; labels and milestones: ~name, %name
    | &(?=\d)                     # epics: &1
    | \bG[HL]-(?=\d)              # issues: GH-1, GL-1
    | :(?=//)                     # addresses of any scheme
    | \bwww(?=\.)                 # addresses without a scheme
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Where forges find references in text, even after it was rendered, so that a backslash does not help.

Sources: GitHub docs, "Autolinked references and URLs" and "Linking a pull request to an issue"; GitLab docs,
"GitLab-specific references"; Forgejo docs, "Automatically linked references"; GFM specification, section 6.9.
"""

_CLOSING = re.compile(r"\b(?:clos|fix|resolv|implement)\w*\b", re.IGNORECASE)
_KEY = re.compile(r"\b[A-Z][A-Z0-9_]*-(?=\d)")
"""The key of an issue at an outside tracker, such as OPS-12. Closing words before it may close the issue."""

_SPECIAL = str.maketrans(
    {
        **{character: f"\\{character}" for character in "\\`*_[]|~"},
        "&": "&amp;",
        "<": "&lt;",
        "$": "&#36;",
        _BREAK: "&#8203;",
    }
)
_AT_START = re.compile(r"[-+=#>/:]|\d+(?=[.)](?:\s|$))")
"""What begins a heading, list, quote, rule or container, or a quick action of GitLab such as ``/merge``."""

_LONGEST_LINE = 4_000
_MOST_LINES = 2_000


def for_markdown(text: object, longest: int = LONGEST_VALUE) -> str:
    """Return a value as Markdown that renders as the value's own text on one line, and as nothing else.

    It contains no markup, HTML, link or image, ends no table cell, mentions nobody, and neither references nor
    closes an issue. It may stand anywhere in a line, but not in a code span: see `as_block`.

    Args:
        text: the value; what is not text is converted by `str`.
        longest: characters to show, before they are escaped.
    """
    whole = str(text)
    line = shortened(" ".join(visible(whole[: longest + 1]).split()), longest, len(whole))
    line = _REFERENCES.sub(lambda found: found[0] + _BREAK, line)
    if _CLOSING.search(line):
        line = _KEY.sub(lambda found: found[0] + _BREAK, line)
    start = _AT_START.match(line)
    line = line.translate(_SPECIAL)
    if start is None:
        return line
    return f"{start[0]}\\{line[start.end() :]}" if start[0].isdecimal() else f"\\{line}"


def as_block(text: str, language: str = "") -> str:
    """Return text of several lines as a fenced code block that the text cannot end.

    Args:
        text: the text; each of its lines is cleaned as for a terminal.
        language: the word after the fence, such as ``diff``; never from untrusted text.
    """
    lines = text.split("\n")
    shown = [for_terminal(line, _LONGEST_LINE) for line in lines[:_MOST_LINES]]
    if len(lines) > _MOST_LINES:
        shown.append(f"… ({len(lines)} lines)")
    fence = "`" * max(3, *(len(run) + 1 for line in shown for run in re.findall("`+", line)), 3)
    return "\n".join([f"{fence}{language}", *shown, fence])
