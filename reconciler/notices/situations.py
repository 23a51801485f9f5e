"""Finds what is new to tell: holds what is so now against what people were told. Pure, and level-triggered.

A situation lasts: it is told when it begins, and again when it ends. What was told is an argument, so it makes no
difference how often, or after which crash, this is asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace

from reconciler.desired.notifications import Topic
from reconciler.notices.notice import Notice, Phase

QUIET_ENDS = frozenset({Topic.REMOVAL, Topic.REQUESTED, Topic.REJECTED, Topic.IDENTITY})
"""Whose end is not told: somebody has just confirmed it, or taken it back."""

_BY_VERSION = frozenset({Topic.HALTED, Topic.REQUESTED, Topic.REJECTED})
"""What is another situation for another version, or change."""


@dataclass(frozen=True, slots=True)
class Situation:
    """Something that is so for a while.

    ``message`` tells why it began; ``subject``, ``author``, ``url``, ``groups`` and ``people`` are as in a notice,
    and ``again`` counts how often it was told before. Of an environment's rollout, ``wish`` stands for what its
    hosts should have, ``revision`` is the commit that first asked for that, and ``settled`` says whether it is
    there.
    """

    topic: Topic
    environment: str = ""
    package: str = ""
    version: str = ""
    host: str = ""
    message: str = ""
    wish: str = ""
    revision: str = ""
    settled: bool = False
    subject: str = ""
    author: str = ""
    url: str = ""
    groups: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    again: int = 0

    @property
    def key(self) -> str:
        """What makes it the same one as another: not the words it is told in, nor where the host is."""
        if self.host:
            return json.dumps([self.topic, self.host, self.package])
        version = self.version if self.topic in _BY_VERSION else ""
        again = [self.again] if self.again else []
        return json.dumps([self.topic, self.environment, self.package, version, *again])


@dataclass(frozen=True, slots=True)
class Rollout:
    """How far an environment is. ``hosts`` have what is asked for, ``silent`` ones cannot be reached.

    ``complete`` says that all that can be reached have it, and that there is one.
    """

    environment: str
    wish: str
    revision: str
    subject: str
    hosts: int
    silent: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """What is so now.

    ``situations`` stand. Those whose key is in ``undecided`` are left as they were told, and those in
    ``dropped`` end without a word, as nobody asks for them any more.
    """

    situations: tuple[Situation, ...] = ()
    undecided: Set[str] = frozenset()
    dropped: Set[str] = frozenset()
    rollouts: tuple[Rollout, ...] = ()


@dataclass(frozen=True, slots=True)
class News:
    """What has changed: the situations to keep, by key, those to forget, and what to tell of it."""

    begun: Mapping[str, Situation] = field(default_factory=dict)
    ended: frozenset[str] = frozenset()
    notices: tuple[Notice, ...] = ()


def find_news(told: Mapping[str, Situation], seen: Seen, events: tuple[Notice, ...] = ()) -> News:
    """Return what is to be told, each thing once.

    Args:
        told: what people were told of and was so then, by key. Not changed.
        seen: what is so now.
        events: what happened besides, and has no end.
    """
    now = {situation.key: situation for situation in seen.situations}
    begun = {key: situation for key, situation in now.items() if key not in told and key not in seen.undecided}
    lasting = {key: situation for key, situation in told.items() if situation.topic is not Topic.ROLLED_OUT}
    ended = {key for key in lasting if key not in now and key not in seen.undecided}
    over = [
        lasting[key] for key in sorted(ended) if key not in seen.dropped and lasting[key].topic not in QUIET_ENDS
    ]
    notices = [*events, *_grouped(over, Phase.ENDED), *_grouped(begun.values(), Phase.BEGAN)]
    environments = set()
    for rollout in seen.rollouts:
        environments.add(rollout.environment)
        kept, finished = _follow(told, rollout)
        if kept is not None:
            begun[kept.key] = kept
        if finished is not None:
            notices.append(finished)
    gone = {
        key
        for key, situation in told.items()
        if situation.topic is Topic.ROLLED_OUT and situation.environment not in environments
    }
    return News(begun, frozenset(ended | gone), tuple(notices))


def _follow(told: Mapping[str, Situation], rollout: Rollout) -> tuple[Situation | None, Notice | None]:
    """Return what to keep of a rollout, where that changes, and what to tell once it is complete."""
    fresh = Situation(
        Topic.ROLLED_OUT,
        rollout.environment,
        wish=rollout.wish,
        revision=rollout.revision,
        message=rollout.subject,
    )
    before = told.get(fresh.key)
    current = before if before is not None and before.wish == rollout.wish else fresh
    if current.settled or not rollout.complete:
        return (None if current is before else current), None
    finished = Notice(
        Topic.ROLLED_OUT,
        Phase.BEGAN,
        rollout.environment,
        revision=current.revision,
        subject=current.message,
        count=rollout.hosts,
        left_out=rollout.silent,
    )
    return replace(current, settled=True), finished


def _grouped(situations: Iterable[Situation], phase: Phase) -> list[Notice]:
    notices = (
        Notice(
            s.topic,
            phase,
            s.environment,
            s.package,
            s.version,
            (s.host,) if s.host else (),
            s.revision,
            s.subject,
            s.author,
            message=s.message,
            url=s.url,
            groups=s.groups,
            people=s.people,
        )
        for s in situations
    )
    return merge(notices)


def merge(notices: Iterable[Notice]) -> list[Notice]:
    """Return notices with those that differ in their hosts alone made one, in the order of the first of each.

    Where they tell why, the host's own name in it makes no difference.
    """
    merged: dict[Notice, list[Notice]] = {}
    for notice in notices:
        alike = replace(notice, hosts=(), message=_without_names(notice))
        merged.setdefault(alike, []).append(notice)
    return [
        replace(alike[0], hosts=tuple(sorted({host for notice in alike for host in notice.hosts})))
        for alike in merged.values()
    ]


def _without_names(notice: Notice) -> str:
    if not notice.hosts:
        return notice.message
    return re.sub(rf"(?<![\w-]){re.escape(notice.hosts[0])}(?![\w-])", "", notice.message, flags=re.IGNORECASE)
