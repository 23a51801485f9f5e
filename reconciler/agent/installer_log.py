"""Reads an installer's log: finds the line that tells why a run failed. Pure but for reading the file.

Source: learn.microsoft.com/windows/win32/msi/windows-installer-error-messages and
learn.microsoft.com/windows/win32/msi/logging-of-return-values
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from reconciler.kernel.protocol import LONGEST_LOG

LONGEST_LINE = 500
"""Characters of a line that are told."""

_LINES_ABOVE = 60
_WIDE = b"\xff\xfe"
_FAILED_ACTION = re.compile(r"Action ended [^:]*(?::\d+)*: (?P<action>[\w.]+)\. Return value 3\.")
_ERROR = re.compile(r"\b(?:Error|Fehler|Erreur) \d{4}\b[.:]?|^Error \d{4}\b")
_PRODUCT_MESSAGE = re.compile(r"Product: .+? -- (?P<text>.+)")
_NOT_TELLING = re.compile(r"^(Action (start|ended)|Info \d|Property\(|MSI \([a-z]\) \(|=== |\d+: \d+ \d+: |\s*$)")
_STOP_IT = "name it among the package's processes or services to stop"
_HELD = re.compile(
    r"The file (?P<file>.+?) is being held in use"
    r"(?: by the following process: Name: (?P<name>[^,]+), I[dD]: (?P<id>\d+))?"
)
_HOLDS = re.compile(r"application with id (?P<id>\d+), friendly name '(?P<name>[^']*)'.* holds file")
_NOT_CACHED = re.compile(r"Local cached package '?(?P<file>[^']+?)'? is missing")
_REBOOT = re.compile(r"Info 190[23]\. Scheduling (?:reboot|restart) operation: (?P<what>.+?)\. Must re")
_LEFT_OUT = re.compile(r"Disallowing installation of component: (?P<component>\{[^}]+\})")
_BUSY = "Failed to grab execution mutex"
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
    above it tells why; where there is neither, the failed action is named. What the log says elsewhere of files in
    use, lost copies, reboots and parts left out follows.
    """
    lines = [line.strip("\r\n\x00 ") for line in text.splitlines()]
    if any(_BUSY in line for line in lines):
        return "another installation was at work"
    return _shorten("; ".join(part for part in (_first_cause(lines), *_circumstances(text)) if part))


def _first_cause(lines: list[str]) -> str:
    failed = next((i for i, line in enumerate(lines) if "Return value 3" in line), None)
    if failed is None:
        found = next((line for line in lines if _ERROR.search(line)), None)
        return found or next((line for line in lines if _ENGINE_RETURNED.search(line)), "")
    above = lines[max(failed - _LINES_ABOVE, 0) : failed]
    for line in above:
        if _ERROR.search(line):
            return line
    for line in reversed(above):
        if match := _PRODUCT_MESSAGE.search(line):
            return match["text"]
    action = _FAILED_ACTION.search(lines[failed])
    before = next((line for line in reversed(above[-3:]) if not _NOT_TELLING.match(line)), "")
    name = f"the action {action['action']} failed" if action else lines[failed]
    return f"{name}: {before}" if before else name


def _circumstances(text: str) -> Iterator[str]:
    """Tell what else a log says that explains a failure to whoever has to mend it."""
    if held := _HELD.search(text):
        by = f" by {held['name']} (process {held['id']})" if held["name"] else ""
        yield f"{held['file']} is held in use{by}: {_STOP_IT}"
    elif holds := _HOLDS.search(text):
        yield f"files are held in use by {holds['name']} (process {holds['id']}): {_STOP_IT}"
    if lost := _NOT_CACHED.search(text):
        yield f"Windows Installer has lost its copy {lost['file']} of an installed product"
    if reboot := _REBOOT.search(text):
        yield f"a reboot was asked for: {reboot['what']}"
    if left_out := _LEFT_OUT.findall(text):
        count = "a component was" if len(left_out) == 1 else f"{len(left_out)} components were"
        yield f"{count} left out, since newer files are there ({left_out[0]})"


def _shorten(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…"
