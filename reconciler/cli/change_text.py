"""Writes out a change as the server shows it, for a terminal or in Markdown. Only text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.cli.output import moment


def as_text(shown: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a change, for a terminal."""
    detail = shown["detail"]
    change = detail["change"]
    yield f"change {change['number']}: {_clean(change['title'])}"
    yield f"  state        {_state(detail)}"
    yield f"  branch       {_clean(change['branch'])} at {change['head']}"
    yield f"  requested by {change['requester'] or 'unknown'}, {moment(change['opened_at'])}"
    yield f"  pushed by    {', '.join(name or 'unknown' for name in detail['pushers'])}"
    yield from (f"  | {line}" for line in _lines(detail["body"]))
    yield ""
    yield from _commits_and_files(detail)
    for status in detail["statuses"]:
        yield f"  check {_clean(status['context'])}: {status['state']} {_clean(status['text'])}".rstrip()
    yield from _said(detail)
    for finding in detail["findings"]:
        yield f"  {finding['path']}:{finding['line']}:{finding['column']}: {finding['message']}"
    if shown["plan"]:
        yield from ("", "merging it", *(f"  {line}" for line in shown["plan"]["text"].splitlines()))
    yield ""
    yield from _verdict(detail)


def as_markdown(shown: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a change in Markdown, its plan included."""
    detail = shown["detail"]
    change = detail["change"]
    yield f"## Change {change['number']}: {_escaped(change['title'])}"
    yield ""
    yield f"{_state(detail)}, `{change['head'][:10]}`, requested by {change['requester'] or 'unknown'}"
    yield ""
    yield from (f"> {_escaped(line)}" for line in _lines(detail["body"]))
    yield ""
    yield from (f"- {line.strip()}" for line in _verdict(detail))
    for finding in detail["findings"]:
        yield f"- `{finding['path']}:{finding['line']}`: {_escaped(finding['message'])}"
    if shown["plan"]:
        yield from ("", *shown["plan"]["markdown"].splitlines())


def _commits_and_files(detail: dict[str, Any]) -> Iterator[str]:
    yield f"{len(detail['commits'])} commit(s)"
    for commit in detail["commits"]:
        yield f"  {commit['id'][:10]} {_clean(commit['subject'])} ({_clean(commit['author'])})"
    yield f"{len(detail['files'])} file(s)"
    for file in detail["files"]:
        counted = file["added"] is not None
        lines = f"+{file['added']} -{file['removed']}" if counted else "(lines not counted: too large, or binary)"
        yield f"  {_clean(file['path'])}  {lines}"


def _said(detail: dict[str, Any]) -> Iterator[str]:
    """Yield who said what of which head, and what the server itself has to say."""
    head = detail["change"]["head"]
    for review in detail["reviews"]:
        which = "" if review["head"] == head else f", of {review['head'][:10]}, an earlier head"
        comment = f": {_clean(review['comment'])}" if review["comment"] else ""
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
    return [_clean(line) for line in text.splitlines()]


def _clean(text: str) -> str:
    """What comes from commits may not steer the terminal."""
    return "".join(char if char.isprintable() else " " for char in text)


def _escaped(text: str) -> str:
    escaped = _clean(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`")
    return escaped.replace("[", "\\[").replace("@", "@\u200b")
