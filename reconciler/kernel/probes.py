"""Probes: what a host can be asked beside its installed products, and the words of its answers. Asks nothing
itself.

Every probe has a key and every answer is a short text, so that decisions stay functions of plain facts, a report
stays readable, and each way of reaching a host only has to know how to answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

ABSENT = "absent"
"""The answer where there is no such service, file or value."""

FAILED = "failed"
"""The answer where the host could not find out; the log of the host says why."""

LONGEST_PROBE = 60.0
"""Seconds that one probe may take at the most."""

Answers = Mapping[str, str]
"""Answers by the keys of their probes."""


class ProbeKind(StrEnum):
    """What a host is asked, and how it answers.

    ``SERVICE``: state and start mode, ``running automatic``. ``FILE_VERSION``: the version resource, ``2.1.0.7``,
    or ``none`` where the file has none. ``FILE_HASH``: SHA-256 in hexadecimal. ``REGISTRY``: type and data,
    ``REG_DWORD:5``. ``PORT`` (of this host, by TCP): ``open`` or ``closed``. ``HTTP`` (a GET): the status,
    ``200``, or ``unreachable``. ``COMMAND``: the exit code, ``0``, or ``timeout``.
    """

    SERVICE = "service"
    FILE_VERSION = "fileVersion"
    FILE_HASH = "fileHash"
    REGISTRY = "registry"
    PORT = "port"
    HTTP = "http"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Probe:
    r"""One question to a host.

    ``subject`` is the service, the file's full path, the registry key (``HKLM\…``, as 64-bit programs see it), the
    port, the address or the command line; ``name`` is the registry value's. ``seconds`` bounds how long the answer
    may take, at most `LONGEST_PROBE`.
    """

    kind: ProbeKind
    subject: str
    name: str = ""
    seconds: float = 5.0

    @property
    def key(self) -> str:
        """The text by which the answer is found."""
        return f"{self.kind}:{self.subject}|{self.name}" if self.name else f"{self.kind}:{self.subject}"


@dataclass(frozen=True, slots=True)
class Answer:
    """A host's answer to the probe whose key is ``probe``."""

    probe: str
    text: str


VersionOrder = tuple[int, ...]
"""Versions are in the order of these."""


def version_in(answer: str) -> str:
    """Return the version that an answer holds: a file's own, or a registry value's data without its type."""
    kind, colon, data = answer.partition(":")
    return data.strip() if colon and kind.startswith("REG_") else answer


def same_version(left: str, right: str) -> bool:
    """Return whether two versions of files or programs are the same: missing fields count as zero."""
    return left == right or bool(version_order(left) and version_order(left) == version_order(right))


def version_order(version: str) -> VersionOrder:
    """Return what a version of a file or program is put in order by.

    A text that is not made of numbers and dots is lower than any that is.
    """
    parts = version.strip().split(".")
    if not all(part.isascii() and part.isdecimal() and len(part) <= 10 for part in parts):
        return ()
    numbers = [int(part) for part in parts]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
