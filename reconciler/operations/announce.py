"""Finds what is new to tell people, and puts it into the outbox with the note that it was told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from reconciler.desired.model import ABSENT_TEXT, DesiredState, Wanted
from reconciler.desired.notifications import Topic
from reconciler.hosts.roster import Member, Roster
from reconciler.kernel.assignment import Goal
from reconciler.kernel.status import Health, Sync
from reconciler.kernel.wire import decode, encode
from reconciler.notices.notice import Notice, Phase
from reconciler.notices.routing import destinations
from reconciler.notices.situations import Rollout, Seen, Situation, find_news
from reconciler.operations.anchor import TROUBLE
from reconciler.operations.announce_approvals import (
    Request,
    of_admissions,
    of_decisions,
    of_requests,
    requester_of,
)
from reconciler.operations.desired import mirror_of
from reconciler.operations.identity import alarms
from reconciler.rollout.guards import NOT_REPORTED
from reconciler.site import Site
from reconciler.store.outbox import TOLD_AUDIT, TOLD_REVISION, Lane, Letter, Told
from reconciler.store.revisions import RevisionRecord, Verdict
from reconciler.store.standings import PackageStanding

MOST_FINDINGS = 3
"""Findings of a revision that a notice names."""


Newest = tuple[int, str]
"""The newest transition of a standing, and the revision in force: what is degraded depends on nothing else."""


class Announcer:
    """Looks what is so now and tells what is new. To be asked by one thread at a time, as often as one likes.

    Args:
        site: the installation.
        listening_since: since when hosts have been able to speak to this process, in seconds since the epoch.
    """

    def __init__(self, site: Site, listening_since: float) -> None:
        self._site = site
        self._mirror = mirror_of(site)
        self._listening_since = listening_since
        self._wishes: tuple[str, dict[str, str]] = ("", {})
        self._told: dict[str, Situation] | None = None
        self._judged: Newest | None = None
        self._last_audited: int | None = None

    def announce(
        self, roster: Roster, desired: DesiredState, requests: Iterable[Request] | None = ()
    ) -> tuple[Notice, ...]:
        """Put what is new into the outbox, and return it.

        Args:
            roster: the enrolled hosts, each with what it should have by ``desired``.
            desired: the desired state in force.
            requests: the changes that wait to be merged; ``None`` where that is not known now.
        """
        now = self._site.clock()
        told = self._remembered()
        newest = (self._site.standings.last_transition(), desired.mark)
        last = int(self._site.revisions.fact(TOLD_REVISION) or 0)
        revisions = self._site.revisions.after(last)
        decided, audited = of_decisions(self._site, self._mirror, desired, self._audited())
        events = (*(notice for _, record in revisions for notice in _of_revision(record)), *decided)
        members = roster.members()
        seen = self._look(told, members, desired, newest)
        seen = self._with_others(seen, told, desired, requests, members)
        news = find_news(told, seen, events)
        if not (news.begun or news.ended or events or revisions):
            self._judged, self._last_audited = newest, audited
            return ()
        letters = [
            Letter(Lane(*destination), now, json.dumps(encode(notice)))
            for notice in news.notices
            for destination in destinations(self._to_requester(notice, desired), desired)
        ]
        begun = {key: json.dumps(encode(situation)) for key, situation in news.begun.items()}
        sequence = revisions[-1][0] if revisions else last
        self._told = None
        self._site.outbox.put(Told(begun, news.ended, letters, sequence, audited))
        self._told = {key: s for key, s in (told | dict(news.begun)).items() if key not in news.ended}
        self._judged, self._last_audited = newest, audited
        return news.notices

    def _to_requester(self, notice: Notice, desired: DesiredState) -> Notice:
        """Return a notice of a rollout with who asked for it among those whom it concerns."""
        if notice.topic not in (Topic.ROLLED_OUT, Topic.HALTED):
            return notice
        commit = notice.revision or desired.of(notice.environment).revision
        return replace(notice, people=requester_of(self._site, desired, commit))

    def _audited(self) -> int:
        """Return up to which record of the audit chain people were told."""
        if self._last_audited is None:
            self._last_audited = int(self._site.revisions.fact(TOLD_AUDIT) or 0)
        return self._last_audited

    def _with_others(
        self,
        seen: Seen,
        told: Mapping[str, Situation],
        desired: DesiredState,
        requests: Iterable[Request] | None,
        members: tuple[Member, ...],
    ) -> Seen:
        of_changes = {Topic.REQUESTED, Topic.REJECTED}
        unknown = {key for key, s in told.items() if s.topic in of_changes} if requests is None else set()
        waiting = of_requests(requests or (), desired, self._site.clock())
        return replace(
            seen,
            situations=(
                *seen.situations,
                *of_admissions(self._site, self._mirror),
                *waiting,
                *_of_anchor(self._site),
                *_of_identities(self._site, members),
            ),
            undecided=seen.undecided | unknown,
        )

    def _remembered(self) -> dict[str, Situation]:
        """Return what people were told of. It is read once: nobody else writes it."""
        if self._told is None:
            texts = self._site.outbox.situations()
            self._told = {key: decode(Situation, json.loads(text)) for key, text in texts.items()}
        return self._told

    def _look(
        self, told: Mapping[str, Situation], members: tuple[Member, ...], desired: DesiredState, newest: Newest
    ) -> Seen:
        now = self._site.clock()
        by_name = {member.name: member for member in members}
        limit = self._site.settings.silent_seconds
        quiet = {member.name for member in members if now - member.last_seen > limit}
        # Right after a start nobody has had the time to speak: what was told of silence stays as it was.
        grace = now - self._listening_since <= limit
        silent = [Situation(Topic.SILENT, by_name[name].environment, host=name) for name in sorted(quiet)]
        undecided = {situation.key for situation in silent} if grace else set()
        degraded, unsure, dropped = self._degraded(told, by_name, newest)
        return Seen(
            situations=(*_of_goals(members), *degraded, *(() if grace else silent)),
            undecided=undecided | unsure,
            dropped=dropped,
            rollouts=tuple(self._rollouts(told, members, desired, quiet)),
        )

    def _degraded(
        self, told: Mapping[str, Situation], members: Mapping[str, Member], newest: Newest
    ) -> tuple[list[Situation], set[str], set[str]]:
        """Return what is degraded; what is neither that nor well yet; and what nobody asks for any more.

        Where no standing has changed since the last look, there is nothing to decide.
        """
        known = {key for key, situation in told.items() if situation.topic is Topic.DEGRADED}
        if self._judged == newest:
            return [], known, set()
        found = [
            Situation(
                Topic.DEGRADED,
                members[standing.host].environment,
                standing.package,
                standing.wanted or "",
                standing.host,
                standing.message or str(standing.reason),
            )
            for standing in self._site.standings.degraded()
            if standing.host in members
        ]
        keys = {situation.key for situation in found}
        over = [told[key] for key in known - keys]
        stands = {(s.host, s.package): s for s in self._site.standings.of_hosts({s.host for s in over})}
        unsure, dropped = set(), set()
        for situation in over:
            standing = stands.get((situation.host, situation.package))
            if standing is None:
                dropped.add(situation.key)
            elif standing.health is not Health.HEALTHY:
                unsure.add(situation.key)
        return found, unsure, dropped

    def _rollouts(
        self, told: Mapping[str, Situation], members: Iterable[Member], desired: DesiredState, quiet: set[str]
    ) -> Iterable[Rollout]:
        if self._wishes[0] != desired.mark:
            self._wishes = (desired.mark, {name: _wish_of(desired, name) for name in desired.environments})
        known = {s.environment: s for s in told.values() if s.topic is Topic.ROLLED_OUT}
        settled = {name for name, s in known.items() if s.settled and s.wish == self._wishes[1].get(name)}
        there: dict[str, list[Member]] = {name: [] for name in desired.environments}
        for member in members:
            if member.environment in there and member.environment not in settled:
                there[member.environment].append(member)
        for name, hosts in there.items():
            wish, before = self._wishes[1][name], known.get(name)
            if name in settled:
                yield Rollout(name, wish, "", "", 0, 0, complete=False)
                continue
            reachable = [member for member in hosts if member.name not in quiet]
            record = None if before is not None and before.wish == wish else self._asked_by(hosts, desired)
            yield Rollout(
                name,
                wish,
                record.commit if record is not None else desired.of(name).revision,
                record.subject if record is not None else "",
                len(reachable),
                len(hosts) - len(reachable),
                complete=bool(reachable) and self._has_all(reachable),
            )

    def _asked_by(self, hosts: Iterable[Member], desired: DesiredState) -> RevisionRecord | None:
        """Return the newest commit by which one of these hosts was given what it should have."""
        commits = {member.revision for member in hosts if member.revision} or {desired.revision}
        records = [record for commit in commits if (record := self._site.revisions.find(commit)) is not None]
        return max(records, key=lambda record: record.seen_at, default=None)

    def _has_all(self, hosts: list[Member]) -> bool:
        if any(member.goals is None for member in hosts):
            return False
        found = self._site.standings.of_hosts({member.name for member in hosts})
        stands = {(standing.host, standing.package): standing for standing in found}
        return all(
            _is_there(goal, stands.get((member.name, goal.package)))
            for member in hosts
            for goal in member.goals or ()
        )


def _of_anchor(site: Site) -> Iterable[Situation]:
    """Yield what is wrong with the anchor of the audit chain."""
    if trouble := site.revisions.fact(TROUBLE):
        yield Situation(Topic.UNANCHORED, message=trouble)


def _of_identities(site: Site, members: Iterable[Member]) -> Iterable[Situation]:
    """Yield the hosts of which a person must decide which machine speaks for them."""
    found = alarms(site)
    environments = {member.name: member.environment for member in members} if found else {}
    for host, alarm in found.items():
        yield Situation(Topic.IDENTITY, environments.get(host, ""), host=host, message=alarm.message)


def _is_there(goal: Goal, standing: PackageStanding | None) -> bool:
    wanted = goal.target.version if goal.target is not None else None
    return standing is not None and standing.sync is Sync.SYNCED and standing.wanted == wanted


def _of_goals(members: Iterable[Member]) -> Iterable[Situation]:
    """Yield the releases that are halted, and the removals that wait: hosts alike share their goals."""
    goals = {(member.environment, id(member.goals)): member.goals for member in members if member.goals}
    found: dict[str, Situation] = {}
    for (environment, _), asked in goals.items():
        for goal in asked:
            if not goal.awaits or goal.awaits == NOT_REPORTED:
                continue
            topic = Topic.HALTED if goal.halted else Topic.REMOVAL
            version = goal.target.version if goal.target is not None else ""
            situation = Situation(topic, environment, goal.package, version, message=goal.awaits)
            found.setdefault(situation.key, situation)
    return found.values()


def _of_revision(record: RevisionRecord) -> Iterable[Notice]:
    about = (record.commit, record.subject, record.author)
    if record.rewritten:
        yield Notice(Topic.REWRITTEN, Phase.BEGAN, revision=about[0], subject=about[1], author=about[2])
    if record.verdict is Verdict.INVALID:
        errors = [f for f in record.findings if f.get("severity", "error") == "error"]
        named = [f"{f['path']}:{f['line']}: {f['message']}" for f in errors[:MOST_FINDINGS]]
        more = [f"and {len(errors) - MOST_FINDINGS} more"] if len(errors) > MOST_FINDINGS else []
        yield Notice(
            Topic.INVALID,
            Phase.BEGAN,
            revision=about[0],
            subject=about[1],
            author=about[2],
            message="; ".join([*named, *more]),
        )


def _wish_of(desired: DesiredState, environment: str) -> str:
    """Return what stands for all that the hosts of an environment are to have; the same where that is."""

    def told(versions: Mapping[str, Wanted]) -> dict[str, str]:
        return {
            package: version if isinstance(version, str) else ABSENT_TEXT for package, version in versions.items()
        }

    asked = [
        told(desired.versions_of(environment)),
        [[dict(item.labels), told(item.packages)] for item in desired.environments[environment].overrides],
        {
            host.name: told(host.packages)
            for host in desired.hosts.values()
            if host.environment == environment and host.packages
        },
        desired.environments[environment].prune,
    ]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
