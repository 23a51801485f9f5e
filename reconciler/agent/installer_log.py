"""Reads an installer's log: finds the line that tells why a run failed. Pure but for reading the file.

Source: learn.microsoft.com/windows/win32/msi/windows-installer-error-messages and
learn.microsoft.com/windows/win32/msi/logging-of-return-values
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from reconciler.kernel.protocol import LONGEST_LOG

LONGEST_LINE = 500
"""Characters of a line that are told."""

_LINES_ABOVE = 60
_WIDE = b"\xff\xfe"
_FAILED_ACTION = re.compile(r"Action ended [^:]*(?::\d+)*: (?P<action>[\w.]+)\. Return value 3\.")
_ERROR = re.compile(r"\b(?:Error|Fehler|Erreur) \d{4}\b[.:]?|^Error \d{4}\b")
_PRODUCT_MESSAGE = re.compile(r"Product: .+? -- (?P<text>.+)")
_NOT_TELLING = re.compile(r"^(Action (start|ended)|Property\(|MSI \([a-z]\) \(|=== |\d+: \d+ \d+: |\s*$)")
_ENGINE_RETURNED = re.compile(r"MainEngineThread is returning \d+")


def read_end(log: Path, longest: int = 2 * LONGEST_LOG) -> str:
    """Return the log's text, of a long one its end.

    Args:
        log: the log: UTF-16 LE with its mark, as Windows writes it, or 8 bit.
        longest: bytes that are read.

    Returns:
        the text; empty where there is no log.
    """
    try:
        with log.open("rb") as file:
            mark = file.read(2)
            wide = mark == _WIDE
            size = file.seek(0, os.SEEK_END)
            start = max(size - longest, 2 if wide else 0)
            file.seek(start + (start % 2 if wide else 0))
            content = file.read()
    except OSError:
        return ""
    return decode_log(mark + content if wide else content)


def decode_log(content: bytes) -> str:
    """Return the text of a log: UTF-16 LE where it begins with the mark of that, else UTF-8 or 8 bit."""
    if content.startswith(_WIDE):
        return content[2:].decode("utf-16-le", "replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def telling_line(text: str) -> str:
    """Return the line of a log that tells why the run failed; empty where none does.

    The first ``Return value 3`` marks the action that failed. An ``Error nnnn`` or a message of the product's
    above it tells why; where there is neither, the failed action is named.
    """
    lines = [line.strip("\r\n\x00 ") for line in text.splitlines()]
    failed = next((i for i, line in enumerate(lines) if "Return value 3" in line), None)
    if failed is None:
        found = next((line for line in lines if _ERROR.search(line)), None)
        found = found or next((line for line in lines if _ENGINE_RETURNED.search(line)), "")
        return _shorten(found)
    above = lines[max(failed - _LINES_ABOVE, 0) : failed]
    for line in above:
        if _ERROR.search(line):
            return _shorten(line)
    for line in reversed(above):
        if match := _PRODUCT_MESSAGE.search(line):
            return _shorten(match["text"])
    action = _FAILED_ACTION.search(lines[failed])
    before = next((line for line in reversed(above[-3:]) if not _NOT_TELLING.match(line)), "")
    name = f"the action {action['action']} failed" if action else lines[failed]
    return _shorten(f"{name}: {before}" if before else name)


def _shorten(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…"
