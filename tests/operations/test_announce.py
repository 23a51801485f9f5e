"""From what is stored to the outbox: what happened is told once, to those who subscribed, whatever crashes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pygit2
import pytest

from reconciler.hosts.roster import Roster
from reconciler.kernel.attempts import Failure, Outcome, Tally
from reconciler.kernel.observation import InstalledProduct, Observation
from reconciler.kernel.wire import decode
from reconciler.notices.notice import Notice
from reconciler.operations.announce import Announcer
from reconciler.operations.desired import mirror_of, state_in_force
from reconciler.operations.fleet import assign_all, known_host
from reconciler.operations.follow import follow
from reconciler.operations.identity import decide
from reconciler.operations.reviews import reviews_of
from reconciler.operations.standing import record_standing
from reconciler.site import Site
from reconciler.store.machines import MachineRecord, MachineState
from reconciler.store.outbox import Lane, OutboxStore
from tests.operations.conftest import APP, FILES, Installation, package_code, product_code

NOTIFYING = """version: 1
notifications:
  channels:
    ops: {kind: mail, grant: ops, authors: [example.com]}
    hook: {kind: webhook, grant: hook}
  tell:
    - {channel: ops}
    - {channel: hook, of: [degraded, halted], environments: [dev]}
"""
SILENT_AFTER = 300.0


class Fleet:
    """An installation whose hosts say what a test has them say, at a time that the test sets."""

    def __init__(self, installation: Installation) -> None:
        self.now = 1_000_000.0
        self.installation = installation
        self.site: Site = replace(installation.site, clock=lambda: self.now)
        self.started = 0.0
        self.announcer = Announcer(self.site, self.started)
        self.roster = Roster(())
        self.look()

    def restart(self) -> None:
        self.announcer = Announcer(self.site, self.now)

    def publish(self, files: dict[str, str]) -> str:
        commit = self.installation.workspace.publish(files, "Ask for something else")
        follow(self.site, mirror_of(self.site), None, reviews_of(self.site, mirror_of(self.site)))
        return commit

    def enrol(self, *names: str) -> None:
        for name in names:
            self.installation.enrol(name)
            self.site.hosts.record_seen([(name, self.now, None)])

    def have(self, *names: str, release: int = 1) -> None:
        """Have hosts say that they have a release of the app."""
        product = InstalledProduct(product_code(release), f"{release}.0.0", "App", package_code(release), APP)
        for name in names:
            self._say(name, Observation((product,)))

    def fail(self, *names: str) -> None:
        """Have hosts say that the app cannot be installed."""
        for name in names:
            member = self.roster.find(name)
            assert member is not None
            assert member.goals is not None
            failure = Failure(Outcome.FAILED, 1603, f"the installer on {name} returned 1603")
            tally = Tally(
                "app", member.goals[0].fingerprint, 1, self.now, Outcome.FAILED, failure.message, failure=failure
            )
            self._say(name, Observation(tallies=(tally,)))

    def _say(self, name: str, observation: Observation) -> None:
        record = self.site.hosts.find(name)
        assert record is not None
        self.site.hosts.record_report(name, observation, "digest", record.assigned, self.now)

    def look(self) -> list[str]:
        """Do what the daemon does in a round, and return what was told newly: topic, phase and hosts."""
        self.settle()
        return self.announce()

    def announce(self) -> list[str]:
        notices = self.announcer.announce(self.roster, state_in_force(self.site))
        assert self.announcer.announce(self.roster, state_in_force(self.site)) == (), "it was told already"
        fresh = Announcer(self.site, self.now)
        assert fresh.announce(self.roster, state_in_force(self.site)) == (), "nor does a restart tell it again"
        return [" ".join((n.topic, n.phase, n.environment, *n.hosts)) for n in notices]

    def settle(self) -> None:
        desired = state_in_force(self.site)
        self.roster = Roster(self.site.hosts.all())
        assign_all(self.site, self.roster, desired)
        for member in self.roster.members():
            record = self.site.hosts.find(member.name)
            assert record is not None
            record_standing(self.site, known_host(member, record))

    def letters(self, channel: str, recipient: str = "") -> list[Notice]:
        waiting = self.site.outbox.next_letters(Lane(channel, recipient))
        return [decode(Notice, json.loads(letter.document)) for letter in waiting]


@pytest.fixture
def fleet(installation: Installation) -> Fleet:
    installation.publish({"environments/reconciler.yaml": NOTIFYING})
    return Fleet(installation)


def test_a_revision_that_does_not_validate_is_told_to_channel_and_author(fleet: Fleet) -> None:
    commit = fleet.publish({"environments/dev/environment.yaml": "packages:\n  app: 9.9.9\n"})
    assert fleet.look() == ["invalid began "]
    (notice,) = fleet.letters("ops")
    assert (notice.revision, notice.subject) == (commit, "Ask for something else")
    assert "environments/dev/environment.yaml:2: the package app has no release '9.9.9'" in notice.message
    assert fleet.letters("ops", "riley@example.com") == [notice]
    assert fleet.letters("hook") == []


def test_two_bad_heads_between_two_looks_are_two_notices(fleet: Fleet) -> None:
    for version in ("8.8.8", "9.9.9"):
        fleet.publish({"environments/dev/environment.yaml": f"packages:\n  app: {version}\n"})
    assert fleet.look() == ["invalid began ", "invalid began "]


def test_an_author_elsewhere_is_not_written_to(fleet: Fleet) -> None:
    workspace = fleet.installation.workspace
    workspace.write({"environments/dev/environment.yaml": "packages:\n  app: 9.9.9\n"})
    workspace.commit("Mine", pygit2.Signature("Mallory", "mallory@evil.example"))
    workspace.push()
    follow(fleet.site, mirror_of(fleet.site), None, reviews_of(fleet.site, mirror_of(fleet.site)))
    assert fleet.look() == ["invalid began "]
    assert {item.lane for item in fleet.site.outbox.waiting()} == {Lane("ops")}


def test_a_force_push_is_told(fleet: Fleet) -> None:
    workspace = fleet.installation.workspace
    before = workspace.head
    fleet.publish({"environments/dev/environment.yaml": "packages:\n  app: 2.0.0\n"})
    workspace.reset(before)
    workspace.write({"environments/dev/environment.yaml": "packages:\n  app: 2.0.0 # again\n"})
    workspace.commit("Rewritten")
    workspace.push(force=True)
    follow(fleet.site, mirror_of(fleet.site), None, reviews_of(fleet.site, mirror_of(fleet.site)))
    assert fleet.look() == ["rewritten began "]


def test_a_machine_in_quarantine_is_reported_until_somebody_decides(fleet: Fleet) -> None:
    fleet.enrol("A")
    fleet.look()
    original = MachineRecord("A", "1" * 32, 1, "", "10.0.0.1", fleet.now)
    copy = MachineRecord(
        "A", "2" * 32, 1, "", "10.0.0.2", fleet.now, state=MachineState.QUARANTINED, why="it has the key of A"
    )
    fleet.site.machines.replace("A", (original, copy), None, fleet.now)
    assert fleet.look() == ["identity began dev A"]
    (notice,) = fleet.letters("ops")
    assert "a machine at 10.0.0.2 is in quarantine: it has the key of A" in notice.message
    assert "reconciler agent refuse A 222222222222" in notice.message
    decide(fleet.site, "a", "222222", approved=False, by="ann")
    assert fleet.look() == []
    assert fleet.letters("ops") == [notice]


def test_hosts_that_fail_halt_a_release_and_go_on(fleet: Fleet) -> None:
    fleet.enrol("A", "B", "C", "D")
    assert fleet.look() == []
    fleet.fail("A", "B", "C")
    assert fleet.look() == ["halted began dev", "degraded began dev A B C"]
    assert [n.topic for n in fleet.letters("hook")] == ["halted", "degraded"]
    fleet.have("A")
    fleet.look()
    fleet.have("B", "C", "D")
    fleet.look()
    told = [f"{n.topic} {n.phase} {' '.join(n.hosts)}".strip() for n in fleet.letters("ops")]
    assert sorted(told) == sorted(
        [
            "halted began",
            "degraded began A B C",
            "degraded ended A",
            "halted ended",
            "degraded ended B C",
            "rolledOut began",
        ]
    )


def test_a_host_that_tries_again_has_not_recovered_yet(fleet: Fleet) -> None:
    fleet.enrol("A")
    fleet.look()
    fleet.fail("A")
    assert fleet.look() == ["degraded began dev A"]
    fleet._say("A", Observation())  # its tries are counted afresh
    assert fleet.look() == []
    fleet.fail("A")
    assert fleet.look() == []
    fleet.have("A")
    assert fleet.look() == ["degraded ended dev A", "rolledOut began dev"]


def test_a_package_that_is_asked_for_no_more_has_not_recovered(fleet: Fleet) -> None:
    fleet.enrol("A")
    fleet.look()
    fleet.fail("A")
    fleet.look()
    fleet.publish({"environments/dev/environment.yaml": "packages:\n  tool: absent\n"})
    assert "degraded ended dev A" not in fleet.look()
    assert fleet.site.outbox.situations().keys() <= {'["rolledOut", "dev", "", ""]'}


def test_silence_is_told_and_its_end_and_a_silent_host_has_not_recovered(fleet: Fleet) -> None:
    fleet.enrol("A", "B")
    fleet.look()
    fleet.fail("A")
    fleet.look()
    fleet.now += SILENT_AFTER + 1
    fleet.site.hosts.record_seen([("B", fleet.now, None)])
    assert fleet.look() == ["silent began dev A"]
    fleet.site.hosts.record_seen([("A", fleet.now, None)])
    assert fleet.look() == ["silent ended dev A"]


def test_a_restart_after_a_long_outage_calls_nobody_silent(fleet: Fleet) -> None:
    fleet.enrol("A", "B")
    fleet.look()
    fleet.now += 10 * SILENT_AFTER
    fleet.restart()
    assert fleet.look() == []
    fleet.site.hosts.record_seen([("A", fleet.now, None)])
    fleet.now += SILENT_AFTER + 1
    fleet.site.hosts.record_seen([("A", fleet.now, None)])
    assert fleet.look() == ["silent began dev B"]
    fleet.restart()
    assert fleet.look() == [], "nor does it call a silent one back"


def test_a_rollout_is_told_when_every_host_that_can_be_reached_has_it(fleet: Fleet) -> None:
    fleet.enrol("A", "B", "C")
    fleet.have("A", "B")
    fleet.now += SILENT_AFTER + 1
    fleet.site.hosts.record_seen([("A", fleet.now, None), ("B", fleet.now, None)])
    assert fleet.look() == ["silent began dev C", "rolledOut began dev"]
    (_, notice) = fleet.letters("ops")
    assert (notice.count, notice.left_out) == (2, 1)

    commit = fleet.publish({"environments/dev/environment.yaml": "packages:\n  app: 2.0.0\n"})
    assign_all(fleet.site, fleet.roster, state_in_force(fleet.site))
    assert fleet.announce() == [], "what was said before the new revision does not count for it"
    fleet.settle()
    fleet.publish({"environments/catalog/tool.yaml": FILES["environments/catalog/tool.yaml"] + "title: Tool\n"})
    fleet.have("A", release=2)
    assert fleet.look() == []
    fleet.have("B", release=2)
    assert fleet.look() == ["rolledOut began dev"]
    assert fleet.letters("ops")[-1].revision == commit, "not the later one, which asks for nothing here"


def test_a_rollout_is_told_by_the_commit_that_asked_though_another_came_before_the_look(fleet: Fleet) -> None:
    fleet.enrol("A")
    fleet.have("A")
    fleet.look()
    commit = fleet.publish({"environments/dev/environment.yaml": "packages:\n  app: 2.0.0\n"})
    fleet.settle()
    fleet.publish({"environments/catalog/tool.yaml": FILES["environments/catalog/tool.yaml"] + "title: Tool\n"})
    fleet.have("A", release=2)
    assert fleet.look() == ["rolledOut began dev"]
    assert fleet.letters("ops")[-1].revision == commit


def test_what_could_not_be_kept_is_told_later(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet.enrol("A")
    fleet.look()
    fleet.fail("A")
    fleet.settle()
    with monkeypatch.context() as full:
        full.setattr(OutboxStore, "put", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            fleet.announce()
    assert fleet.announce() == ["degraded began dev A"]


def test_a_removal_that_waits_is_told(fleet: Fleet) -> None:
    fleet.enrol("A", "B", "C")
    fleet.have("A", "B", "C")
    fleet.look()
    fleet.publish({"environments/dev/environment.yaml": "packages:\n  app: absent\n"})
    assert fleet.look() == ["removal began dev"]
    assert "3 of 3 hosts of dev would lose app at once" in fleet.letters("ops")[-1].message
    fleet.publish({"environments/dev/environment.yaml": "packages:\n  app: absent\nconfirm: [app]\n"})
    assert fleet.look() == []


def test_what_happened_before_there_was_a_channel_is_not_told(installation: Installation) -> None:
    fleet = Fleet(installation)
    fleet.enrol("A")
    fleet.look()
    fleet.fail("A")
    fleet.look()
    fleet.publish({"environments/reconciler.yaml": NOTIFYING})
    fleet.look()
    assert fleet.site.outbox.waiting() == ()


CRASHING = """
import os, sys
from pathlib import Path
import sqlalchemy as sa
from reconciler.hosts.roster import Roster
from reconciler.operations.announce import Announcer
from reconciler.operations.desired import state_in_force
from reconciler.operations.fleet import assign_all
from reconciler.settings import Settings
from reconciler.site import open_site

data, repository, statement = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with open_site(Settings(data=data, repository=repository)) as site:
    desired, roster = state_in_force(site), Roster(site.hosts.all())
    assign_all(site, roster, desired)
    count = 0

    def counted(connection, cursor, text, *_):
        global count
        count += text.startswith(("INSERT", "UPDATE", "DELETE"))
        if count == statement:
            os._exit(9)

    sa.event.listen(sa.Engine, "after_cursor_execute", counted)
    Announcer(site, 0.0).announce(roster, desired)
    sys.exit(0 if count < statement else 1)
"""


def test_a_crash_after_any_write_loses_and_doubles_nothing(installation: Installation) -> None:
    data, repository = installation.site.settings.data, str(installation.workspace.bare)
    installation.publish({"environments/reconciler.yaml": NOTIFYING})
    Announcer(installation.site, 0.0).announce(Roster(()), state_in_force(installation.site))
    installation.publish({"environments/dev/environment.yaml": "packages:\n  app: 9.9.9\n"})
    crashes, lane = 0, Lane("ops")
    while True:
        command = [sys.executable, "-c", CRASHING, str(data), repository, str(crashes + 1)]
        code = subprocess.run(command, check=False).returncode
        letters = installation.site.outbox.next_letters(lane)
        if code == 0:
            break
        assert code == 9
        crashes += 1
        told = installation.site.revisions.fact("toldRevision")
        assert len(letters) == (told == "3"), "the letter is there just where the revision counts as told"
    assert crashes >= 2
    assert len(letters) == 1
    assert Announcer(installation.site, 0.0).announce(Roster(()), state_in_force(installation.site)) == ()
    assert len(installation.site.outbox.next_letters(lane)) == 1
