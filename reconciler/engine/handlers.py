"""Registers handlers by decorator, in the manner of kopf: one function a cause; errors say whether to retry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from reconciler.kernel.errors import ReconcilerError


class TemporaryError(ReconcilerError):
    """The handler could not do its work now and is to run again after ``delay`` seconds."""

    reference = "temporary"

    def __init__(self, what: str, *, delay: float, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what, where=where, hint=hint)
        self.delay = delay


class PermanentError(ReconcilerError):
    """The handler cannot do its work until something else changes; it is not run again for this event."""

    reference = "permanent"


class Cause(StrEnum):
    """What a handler is about. Work is keyed by cause and subject, and one key runs at a time."""

    REVISION = "revision"
    ASSIGNMENT = "assignment"
    REPORT = "report"
    SILENCE = "silence"
    POST = "post"
    CHANGES = "changes"
    TIMER = "timer"


@dataclass(frozen=True, slots=True)
class Key:
    """One piece of work: a cause and its subject (a host's name, a channel, a timer's name, or nothing)."""

    cause: Cause
    subject: str = ""


Handler = Callable[[Key], None]
"""Does the work for a key. Runs in a thread of a bounded pool, so it may block."""


@dataclass(frozen=True, slots=True)
class Timer:
    """A handler that runs every ``seconds``."""

    name: str
    seconds: float


class Registry:
    """The handlers, by cause; timers by name."""

    def __init__(self) -> None:
        self._handlers: dict[Cause, Handler] = {}
        self._timed: dict[str, Handler] = {}
        self.timers: list[Timer] = []

    def on_revision(self, handler: Handler) -> Handler:
        """Register what runs when the repository may have a new head."""
        return self._register(Cause.REVISION, handler)

    def on_assignment(self, handler: Handler) -> Handler:
        """Register what runs when what hosts should have may depend on what one of them has newly said."""
        return self._register(Cause.ASSIGNMENT, handler)

    def on_report(self, handler: Handler) -> Handler:
        """Register what runs when a host has reported; the key's subject is its name."""
        return self._register(Cause.REPORT, handler)

    def on_silence(self, handler: Handler) -> Handler:
        """Register what runs when a host has fallen silent or spoken again; the key's subject is its name."""
        return self._register(Cause.SILENCE, handler)

    def on_post(self, handler: Handler) -> Handler:
        """Register what runs when something waits to be sent; the key's subject says by which channel to whom."""
        return self._register(Cause.POST, handler)

    def on_changes(self, handler: Handler) -> Handler:
        """Register what runs when a change may have come, gone or moved where changes are reviewed."""
        return self._register(Cause.CHANGES, handler)

    def on_timer(self, name: str, seconds: float) -> Callable[[Handler], Handler]:
        """Register what runs every ``seconds``, once at the start included."""

        def register(handler: Handler) -> Handler:
            self._timed[name] = handler
            self.timers.append(Timer(name, seconds))
            return handler

        return register

    def handler_for(self, key: Key) -> Handler:
        """Return the handler of ``key``.

        Raises:
            PermanentError: nothing is registered for it.
        """
        handler = self._timed.get(key.subject) if key.cause is Cause.TIMER else self._handlers.get(key.cause)
        if handler is None:
            raise PermanentError(f"no handler is registered for {key.cause} {key.subject}".rstrip())
        return handler

    def _register(self, cause: Cause, handler: Handler) -> Handler:
        if cause in self._handlers:
            raise ValueError(f"{cause} has a handler already")
        self._handlers[cause] = handler
        return handler
