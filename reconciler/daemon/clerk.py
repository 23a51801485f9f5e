"""Keeps a status and a comment at each open change of the forge true, in an engine of its own.

A forge that does not answer keeps nobody else waiting.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import structlog

from reconciler.approval.evidence import Change, CheckState
from reconciler.approval.forge import Forge, ForgeUnavailable, OpenChange, Queued
from reconciler.approval.forge_client import NotAllowed, NotThere, Refused
from reconciler.desired.repository import GitRepository, RepositoryError
from reconciler.engine.handlers import Cause, Key, PermanentError, Registry, TemporaryError
from reconciler.engine.queue import KeyedQueue
from reconciler.operations.announce_approvals import Request
from reconciler.operations.desired import hosts_repository, mirror_of
from reconciler.operations.forecast import Forecast, forecast, forget_changes
from reconciler.site import Site

CONTEXT = "reconciler/plan"
"""What the status is about, by which forges can demand it."""

MARKER = "reconciler:plan"
"""Tells our comment from others."""

WORK_OUT_SECONDS = 600.0
"""Seconds after which what a change would do is worked out anew, though it is as it was: hosts may not be."""

WRITE_SECONDS = 3600.0
"""Seconds after which it is looked whether what was written is still there."""

NEVER = float("-inf")
"""When something was done that was not done yet."""

_log = structlog.get_logger("reconciler.clerk")


@dataclass(frozen=True, slots=True)
class _Told:
    """What was worked out of a change, from what and when; and when it was last seen to stand at the forge."""

    change: Change
    base: tuple[str, str | None]
    forecast: Forecast
    worked_out_at: float = NEVER
    written_at: float = NEVER
    queued: tuple[Queued, ...] = ()


_NOTHING = Forecast(CheckState.PENDING, "", "")


class Clerk:
    """The handlers that tell, where changes are reviewed, what each of them would do.

    Args:
        site: the installation.
        forge: where changes are reviewed.
    """

    def __init__(self, site: Site, forge: Forge) -> None:
        self._site = site
        self._forge = forge
        self._writes = not hosts_repository(site.settings)  # the built-in review shows all of it by itself
        self._mirror: GitRepository = mirror_of(site)
        self._told: dict[int, _Told] = {}
        self._requests: tuple[Request, ...] | None = None
        self._queue: KeyedQueue | None = None

    def registry(self) -> Registry:
        """Return the handlers, for an engine of their own to run."""
        registry = Registry()
        registry.on_changes(self._on_changes)
        registry.on_timer("changes", self._site.settings.fetch_seconds)(self._on_due)
        return registry

    def begin(self, queue: KeyedQueue) -> None:
        """Ask for work on ``queue`` from now on."""
        self._queue = queue

    def look(self) -> None:
        """Have the changes looked at. May be called from any thread."""
        if self._queue is not None:
            self._queue.add_threadsafe(Key(Cause.CHANGES))

    def requests(self) -> tuple[Request, ...] | None:
        """Return the changes that wait to be merged; ``None`` where that is not known now."""
        return self._requests

    def _on_due(self, _key: Key) -> None:
        """Ask by the key that hints ask by: so only one look runs at a time."""
        self.look()

    def _on_changes(self, _key: Key) -> None:
        trouble: ForgeUnavailable | None
        if self._site.revisions.in_force() is None:
            return  # the repository was not fetched yet
        try:
            opened = self._forge.open_changes()
            numbers = {change.number for change in opened}
            self._told = {number: told for number, told in self._told.items() if number in numbers}
            forget_changes(self._mirror, numbers)
            trouble = self._keep_all(opened)
            self._requests = tuple(
                Request(told.change, told.forecast.needs, told.forecast.missing) for told in self._told.values()
            )
        except RepositoryError as error:
            raise PermanentError(error.what, where=error.where, hint=error.hint) from error
        except ForgeUnavailable as error:
            trouble, self._requests = error, None
        if trouble is not None:
            delay = self._site.settings.fetch_seconds
            raise TemporaryError(trouble.what, delay=delay, where=trouble.where, hint=trouble.hint) from trouble

    def _keep_all(self, opened: tuple[OpenChange, ...]) -> ForgeUnavailable | None:
        """Keep each change's; return why the forge refused it of one. That keeps us from none of the others."""
        base = (self._mirror.head(self._site.settings.branch), self._site.revisions.in_force())
        trouble: ForgeUnavailable | None = None
        for change in opened:
            try:
                self._keep(change, base)
            except (NotAllowed, NotThere, Refused) as error:
                trouble = error
        return trouble

    def _keep(self, opened: OpenChange, base: tuple[str, str | None]) -> None:
        """See to it that the forge shows what a change would do."""
        now, change = self._site.clock(), opened.change
        told = self._told.get(opened.number) or _Told(change, ("", None), _NOTHING)
        as_it_was = (told.change, told.base) == (change, base) and now - told.worked_out_at < WORK_OUT_SECONDS
        found = told.forecast if as_it_was else forecast(self._site, self._mirror, opened)
        stands = (told.change.head, told.forecast, told.queued) == (
            change.head,
            found,
            opened.queued,
        ) and now - told.written_at < WRITE_SECONDS
        worked_out_at = told.worked_out_at if as_it_was else now
        # Kept before it is written: whoever may not be told there is told by other ways.
        self._told[opened.number] = _Told(
            change, base, found, worked_out_at, told.written_at if stands else NEVER, opened.queued
        )
        if stands or not self._writes:
            return
        self._forge.set_status(change.head, CONTEXT, found.state, found.summary)
        self._keep_queued(opened)
        self._forge.comment(opened.number, MARKER, found.report)
        _log.info("told what it would do", change=change.name, state=found.state, summary=found.summary)
        self._told[opened.number] = replace(self._told[opened.number], written_at=now)

    def _keep_queued(self, opened: OpenChange) -> None:
        """Set the status of the commits by which a merge queue tests a change: it merges none without it.

        Such a commit holds what merging would give, other changes before it in the queue included.
        """
        for queued in opened.queued:
            tested = replace(opened, change=replace(opened.change, head=queued.commit, ref=queued.ref))
            found = forecast(self._site, self._mirror, tested)
            self._forge.set_status(queued.commit, CONTEXT, found.state, found.summary)
