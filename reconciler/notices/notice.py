"""A notice: one thing to tell, made once, and kept as JSON until it has been told. Decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reconciler.desired.notifications import Topic


class Phase(StrEnum):
    """Whether something began, or ended."""

    BEGAN = "began"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened.

    ``environment``, ``package`` and ``hosts`` are whom it concerns, as far as it does; ``version`` is empty for an
    absence. ``revision`` is the commit that it is about, ``subject`` that commit's first line, ``author`` its
    author as git has it. ``count`` says how many hosts took part where they are not named, ``left_out`` how many
    could not be reached. ``message`` tells why, in the words of whoever knew: all but the names of environments,
    packages and versions is untrusted text. Of a change, ``version`` is what people call it and ``url`` where it
    is. ``groups`` are those whose business it is, ``people`` the mail addresses of those whom it concerns.
    """

    topic: Topic
    phase: Phase
    environment: str = ""
    package: str = ""
    version: str = ""
    hosts: tuple[str, ...] = ()
    revision: str = ""
    subject: str = ""
    author: str = ""
    count: int = 0
    left_out: int = 0
    message: str = ""
    url: str = ""
    groups: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
