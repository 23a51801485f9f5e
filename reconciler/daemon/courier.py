"""Tells people what happened, by handlers of its own: what is slow here must not keep hosts waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog

from reconciler.daemon.keeper import Keeper
from reconciler.engine.handlers import Cause, Key, Registry
from reconciler.engine.queue import KeyedQueue
from reconciler.notices.sending import NotSent, send
from reconciler.operations.announce import Announcer
from reconciler.operations.announce_approvals import Request
from reconciler.operations.deliver import deliver
from reconciler.site import Site
from reconciler.store.outbox import Lane

LOOK_SECONDS = 2.0
"""Seconds between looks for something new to tell."""

POST_SECONDS = 1.0
"""Seconds between looks for messages that are due."""

WORKERS = 8
"""How many channels are sent to at once. One that does not answer holds one of them until it times out."""

_log = structlog.get_logger("reconciler.notices")


class Courier:
    """The handlers that find what is to be told, and send it.

    Args:
        site: the installation.
        keeper: knows the hosts and the desired state in force.
        requests: gives the changes that wait to be merged; ``None`` where that is not known now.
    """

    def __init__(self, site: Site, keeper: Keeper, requests: Callable[[], Iterable[Request] | None]) -> None:
        self._site = site
        self._keeper = keeper
        self._requests = requests
        self._queue: KeyedQueue | None = None
        self._announcer = Announcer(site, site.clock())

    def registry(self) -> Registry:
        """Return the handlers, for an engine of their own to run."""
        registry = Registry()
        registry.on_timer("announce", LOOK_SECONDS)(self._on_look)
        registry.on_timer("outbox", POST_SECONDS)(self._on_outbox)
        registry.on_post(self._on_post)
        return registry

    def begin(self, queue: KeyedQueue) -> None:
        """Ask for work on ``queue`` from now on."""
        self._queue = queue

    def _on_look(self, _key: Key) -> None:
        desired = self._keeper.desired
        if desired is None:
            return
        for notice in self._announcer.announce(self._keeper.roster, desired, self._requests()):
            _log.info("to tell", topic=notice.topic, phase=notice.phase, environment=notice.environment)

    def _on_outbox(self, _key: Key) -> None:
        """Ask for each lane by a key of its own: so messages keep their order, and no lane waits for another."""
        for waiting in self._site.outbox.waiting():
            if waiting.letters and self._queue is not None:
                lane = waiting.lane
                self._queue.add_threadsafe(Key(Cause.POST, f"{lane.channel} {lane.recipient}".rstrip()))

    def _on_post(self, key: Key) -> None:
        desired = self._keeper.desired
        channel, _, recipient = key.subject.partition(" ")
        lane = Lane(channel, recipient)
        waiting = next((item for item in self._site.outbox.waiting() if item.lane == lane), None)
        if desired is None or waiting is None:
            return
        try:
            if deliver(self._site, waiting, desired.notifications.channels.get(channel), send):
                _log.info("told", channel=str(lane))
        except NotSent as error:
            # Not raised further: when it is tried again is on record, and holds over a restart.
            _log.warning("not told", channel=str(lane), error=str(error))
