"""Keeps what the daemon holds in memory true, by handlers that each work from what is stored and observed."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from reconciler.desired.mirror import FetchError
from reconciler.desired.model import DesiredState
from reconciler.desired.repository import RepositoryError
from reconciler.engine.handlers import Cause, Key, PermanentError, Registry, TemporaryError
from reconciler.engine.queue import KeyedQueue
from reconciler.hosts.enrolment import PlacementUnknown
from reconciler.hosts.roster import Roster
from reconciler.operations.desired import InvalidRevision, mirror_of, state_as_approved
from reconciler.operations.fleet import assign_all, known_host
from reconciler.operations.follow import follow
from reconciler.operations.identity import alarms, replaced_keys
from reconciler.operations.in_force import mark_of
from reconciler.operations.pushed import admit_pushed
from reconciler.operations.reviews import reviews_of
from reconciler.operations.standing import record_standing
from reconciler.site import Site
from reconciler.store.revisions import Verdict

FLUSH_SECONDS = 1.0
"""Seconds between writes of who was seen when."""

RETRY_SECONDS = 1.0
"""Seconds between looks for retries that somebody asked for: the command line puts them straight on record."""

SILENCE_SECONDS = 5.0
"""Seconds between looks for hosts that have fallen silent."""

_log = structlog.get_logger("reconciler.daemon")


class Keeper:
    """The roster, the desired state in force, and the handlers that keep both true.

    Args:
        site: the installation.

    Raises:
        NothingInForce: no repository is known.
        RepositoryError: the mirror cannot be opened.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._mirror = mirror_of(site)
        self._reviews = reviews_of(site, self._mirror)
        self._queue: KeyedQueue | None = None
        self._assigning = threading.Lock()
        self._last_retry = site.retries.last_number()
        self._last_decision = site.replacements.changes()
        self.roster = Roster(site.hosts.all(), site.machines.all())
        self._take_decisions()
        self._assigned: Callable[[DesiredState], None] = _nobody
        self._mark: str | None = None
        self._desired = self._last_in_force()
        self._on_assignment(Key(Cause.ASSIGNMENT))

    @property
    def desired(self) -> DesiredState | None:
        """The desired state in force; ``None`` where it cannot be read."""
        return self._desired

    def registry(self) -> Registry:
        """Return the handlers, for the engine to run."""
        registry = Registry()
        registry.on_revision(self._on_revision)
        registry.on_assignment(self._on_assignment)
        registry.on_report(self._on_host)
        registry.on_silence(self._on_host)
        registry.on_timer("repository", self._site.settings.fetch_seconds)(self._on_repository_due)
        registry.on_timer("seen", FLUSH_SECONDS)(self._on_flush)
        registry.on_timer("retries", RETRY_SECONDS)(self._on_retries_due)
        registry.on_timer("decisions", RETRY_SECONDS)(self._on_decisions_due)
        registry.on_timer("silence", SILENCE_SECONDS)(self._on_silence_check)
        return registry

    def begin(self, queue: KeyedQueue, assigned: Callable[[DesiredState], None]) -> None:
        """Ask for work on ``queue`` from now on.

        Args:
            queue: the engine's.
            assigned: told whenever hosts have been given what they should have, and at once where they have been.
        """
        self._queue = queue
        self._assigned = assigned
        if self._desired is not None:
            assigned(self._desired)

    def repository_changed(self) -> None:
        """Have the repository looked at. May be called from any thread."""
        self._hint_from_thread(Key(Cause.REVISION))

    def flush(self) -> None:
        """Write who was seen when."""
        seen = self.roster.take_seen()
        if not seen:
            return
        try:
            self._site.hosts.record_seen(seen)
        except BaseException:
            self.roster.give_back([name for name, _, _ in seen])
            raise

    def looked_at(self, host: str) -> None:
        """Have the standing of a pushed host looked at. May be called from any thread."""
        self._hint_from_thread(Key(Cause.REPORT, host))

    # What the inbox tells of, and asks.

    def placement(self, host: str) -> str | None:
        """Return the environment that the desired state puts a host into, or ``None``.

        Raises:
            PlacementUnknown: the desired state is not at hand yet.
        """
        if self._desired is None:
            raise PlacementUnknown("the desired state is not read yet: ask again", where=host)
        named = self._desired.host(host)
        return named.environment if named is not None else None

    def reported(self, host: str) -> None:
        """Have the host's standing looked at."""
        self._hint(Key(Cause.REPORT, host))

    def enrolled(self, host: str) -> None:
        """Have a new host given its assignment, and its standing looked at."""
        self._hint(Key(Cause.ASSIGNMENT))
        self._hint(Key(Cause.REPORT, host))

    def spoke_again(self, host: str) -> None:
        """Have the standing of a host that was silent looked at."""
        self._hint(Key(Cause.SILENCE, host))

    # Handlers, run in threads. Each works from what is stored and observed, and may run at any time.

    def _on_repository_due(self, _key: Key) -> None:
        """Ask by the key that hints ask by: so only one look at the repository runs at a time."""
        self.repository_changed()

    def _on_revision(self, _key: Key) -> None:
        try:
            followed = follow(self._site, self._mirror, self._mark, self._reviews)
        except FetchError as error:
            self._site.revisions.set_fact("fetchTrouble", str(error))
            raise TemporaryError(
                error.what, delay=self._site.settings.fetch_seconds, where=error.where, hint=error.hint
            ) from error
        except RepositoryError as error:
            self._site.revisions.set_fact("fetchTrouble", str(error))
            raise PermanentError(error.what, where=error.where, hint=error.hint) from error
        self._site.revisions.set_fact("fetchTrouble", "")
        record = followed.record
        if record is not None and record.verdict is Verdict.INVALID:
            _log.error("revision does not validate", revision=followed.head, findings=len(record.findings))
        for item in followed.moved:
            _log.info(
                "environment", environment=item.environment, commit=item.commit, state=item.state, why=item.reasons
            )
        if followed.state is None:
            return
        _log.info("revision in force", revision=followed.state.revision)
        self._desired, self._mark = followed.state, followed.mark
        self._on_assignment(Key(Cause.ASSIGNMENT))
        for member in self.roster.members():
            self._hint_from_thread(Key(Cause.REPORT, member.name))

    def _on_assignment(self, _key: Key) -> None:
        """Give every host what it should have. One at a time: what is counted must not change meanwhile."""
        with self._assigning:
            if self._desired is not None:
                admit_pushed(self._site, self.roster, self._desired)
                assign_all(self._site, self.roster, self._desired)
                self._assigned(self._desired)

    def _on_host(self, key: Key) -> None:
        member = self.roster.find(key.subject)
        record = self._site.hosts.find(key.subject)
        if member is None or record is None:
            return
        if record.failing or member.failing or any(goal.target is None for goal in member.goals or ()):
            self._hint_from_thread(Key(Cause.ASSIGNMENT))
        member.failing = record.failing
        alarm = alarms(self._site).get(member.name)
        for change in record_standing(self._site, known_host(member, record, alarm)):
            _log.info(
                "standing",
                host=change.host,
                package=change.package or "(host)",
                before=change.before,
                after=change.after,
                why=change.message,
            )

    def _on_flush(self, _key: Key) -> None:
        self.flush()

    def _on_retries_due(self, _key: Key) -> None:
        newest = self._site.retries.last_number()
        if newest != self._last_retry:
            self._last_retry = newest
            self._hint_from_thread(Key(Cause.ASSIGNMENT))

    def _on_decisions_due(self, _key: Key) -> None:
        """Take over what people have decided of hosts' keys: the command line puts it straight on record."""
        newest = self._site.replacements.changes()
        if newest != self._last_decision:
            self._last_decision = newest
            self._take_decisions()
            self._hint_from_thread(Key(Cause.ASSIGNMENT))
            for member in self.roster.members():
                self._hint_from_thread(Key(Cause.REPORT, member.name))

    def _take_decisions(self) -> None:
        self.roster.refresh(self._site.hosts.keys(), self._site.machines.all(), replaced_keys(self._site))

    def _on_silence_check(self, _key: Key) -> None:
        now = self._site.clock()
        for member in self.roster.members():
            silent = now - member.last_seen > self._site.settings.silent_seconds
            if silent != member.silent:
                member.silent = silent
                self._hint_from_thread(Key(Cause.SILENCE, member.name))

    def _hint(self, key: Key) -> None:
        if self._queue is not None:
            self._queue.add(key)

    def _hint_from_thread(self, key: Key) -> None:
        if self._queue is not None:
            self._queue.add_threadsafe(key)

    def _last_in_force(self) -> DesiredState | None:
        """Return the state in force; ``None`` where it cannot be read, until a fetch or a commit mends that."""
        commit = self._site.revisions.in_force()
        if commit is None:
            return None
        try:
            found = state_as_approved(self._site, self._mirror, commit)
        except (RepositoryError, InvalidRevision) as error:
            _log.warning(
                "the revision in force cannot be read now; hosts keep what they were assigned", error=str(error)
            )
            return None
        self._mark = mark_of(self._site, commit)
        return found


def _nobody(_desired: DesiredState) -> None:
    """Nobody is told before the daemon runs."""
