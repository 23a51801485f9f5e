"""Writes out a change as the server shows it, for a terminal or in Markdown. Only text.

Lines for a terminal are cleaned where they are printed, each as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.cli.output import brief, moment
from reconciler.presentation.markdown import as_block, for_markdown

MOST_LINES = 200
"""Lines of a description or a note that are shown."""


def as_text(shown: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a change, for a terminal."""
    detail = shown["detail"]
    change = detail["change"]
    yield f"change {change['number']}: {change['title']}"
    yield f"  state        {_state(detail)}"
    yield f"  branch       {brief(change['branch'])} at {change['head']}"
    yield f"  requested by {change['requester'] or 'unknown'}, {moment(change['opened_at'])}"
    yield f"  pushed by    {', '.join(name or 'unknown' for name in detail['pushers'])}"
    yield from (f"  | {line}" for line in _lines(detail["body"]))
    yield ""
    yield from _commits_and_files(detail)
    for status in detail["statuses"]:
        yield f"  check {status['context']}: {status['state']} {status['text']}".rstrip()
    yield from _said(detail)
    for finding in detail["findings"]:
        yield f"  {finding['path']}:{finding['line']}:{finding['column']}: {finding['message']}"
    if shown["plan"]:
        yield from ("", "merging it", *(f"  {line}" for line in shown["plan"]["text"].split("\n")))
    yield ""
    yield from _verdict(detail)


def as_markdown(shown: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a change in Markdown, its plan included."""
    detail = shown["detail"]
    change = detail["change"]
    yield f"## Change {change['number']}: {for_markdown(change['title'])}"
    yield ""
    asked = f"{change['head'][:10]}, requested by {change['requester'] or 'unknown'}"
    yield for_markdown(f"{_state(detail)}, {asked}")
    yield ""
    if detail["body"]:
        yield from (*as_block("\n".join(_lines(detail["body"]))).split("\n"), "")
    yield from (f"- {for_markdown(line)}" for line in _verdict(detail))
    for finding in detail["findings"]:
        place = f"{finding['path']}:{finding['line']}"
        yield "- " + for_markdown(f"{place}: {finding['message']}")
    if shown["plan"]:
        yield from ("", *shown["plan"]["markdown"].split("\n"))


def _commits_and_files(detail: dict[str, Any]) -> Iterator[str]:
    yield f"{len(detail['commits'])} commit(s)"
    for commit in detail["commits"]:
        yield f"  {commit['id'][:10]} {brief(commit['subject'])} ({brief(commit['author'])})"
    yield f"{len(detail['files'])} file(s)"
    for file in detail["files"]:
        counted = file["added"] is not None
        lines = f"+{file['added']} -{file['removed']}" if counted else "(lines not counted: too large, or binary)"
        yield f"  {brief(file['path'])}  {lines}"


def _said(detail: dict[str, Any]) -> Iterator[str]:
    """Yield who said what of which head, and what the server itself has to say."""
    head = detail["change"]["head"]
    for review in detail["reviews"]:
        which = "" if review["head"] == head else f", of {review['head'][:10]}, an earlier head"
        comment = f": {review['comment']}" if review["comment"] else ""
        yield f"  {moment(review['at'])} {review['account']} {review['verdict']}{which}{comment}"
    for note in detail["notes"]:
        yield from (f"  reconciler: {line}" for line in _lines(note["body"]))


def _verdict(detail: dict[str, Any]) -> Iterator[str]:
    if detail["mergeable"]:
        yield f"it may be merged: reconciler change merge {detail['change']['number']}"
    elif detail["change"]["state"] == "open":
        yield from (f"missing: {reason}" for reason in detail["missing"])


def _state(detail: dict[str, Any]) -> str:
    change = detail["change"]
    if change["state"] == "open":
        return "open"
    by = f" by {change['ended_by']}" if change["ended_by"] else ""
    commit = f" as {detail['merge_commit'][:10]}" if detail["merge_commit"] else ""
    return f"{change['state']}{by}{commit}, {moment(change['ended_at'])}"


def _lines(text: str) -> list[str]:
    lines = text.removesuffix("\n").split("\n") if text else []
    more = len(lines) - MOST_LINES
    return lines if more <= 0 else [*lines[:MOST_LINES], f"… (and {more} more lines)"]
