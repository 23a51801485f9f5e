"""Status: two axes and a reason, from what a host should have and what it last said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.kernel.artifact import Artifact
from reconciler.kernel.assignment import Assignment, Goal
from reconciler.kernel.attempts import Outcome, Tally
from reconciler.kernel.observation import InstalledProduct, Observation
from reconciler.kernel.releases import MsiRelease
from reconciler.kernel.status import Health, Reason, Sync
from reconciler.planning.hosts import KnownHost
from reconciler.planning.status import host_status

NOW = 1_000_000.0
SILENT_AFTER = 300.0
RELEASE = MsiRelease("2.0.0", "product", "package", Artifact("0" * 64, 1, "a.msi"))
GOAL = Goal("app", "upgrade", RELEASE, fingerprint="goal")
PRESENT = InstalledProduct("product", "2.0.0", "App", "package", "upgrade")
GOOD = KnownHost(
    "H1", "prod", Assignment("H1", "prod", "c0ffee", (GOAL,)), "new", "new", Observation((PRESENT,)), NOW - 10
)
BARE = replace(GOOD, observation=Observation())


def failing(failures: int) -> KnownHost:
    tally = Tally("app", "goal", failures, NOW - 5, Outcome.FAILED, "Error 1603")
    return replace(GOOD, observation=Observation(tallies=(tally,)))


@pytest.mark.parametrize(
    ("host", "sync", "health", "reason"),
    [
        (GOOD, Sync.SYNCED, Health.HEALTHY, Reason.UP_TO_DATE),
        (BARE, Sync.OUT_OF_SYNC, Health.MISSING, Reason.STEP_DUE),
        (replace(BARE, acknowledged="old"), Sync.OUT_OF_SYNC, Health.MISSING, Reason.AWAITING_AGENT),
        (replace(BARE, busy="app"), Sync.OUT_OF_SYNC, Health.PROGRESSING, Reason.STEP_RUNNING),
        (failing(1), Sync.OUT_OF_SYNC, Health.DEGRADED, Reason.RETRY_BACKOFF),
        (failing(8), Sync.OUT_OF_SYNC, Health.DEGRADED, Reason.RETRIES_EXHAUSTED),
        (replace(GOOD, last_seen=NOW - 301), Sync.UNKNOWN, Health.UNKNOWN, Reason.HOST_SILENT),
        (replace(GOOD, observation=None), Sync.UNKNOWN, Health.UNKNOWN, Reason.NEVER_REPORTED),
        (replace(GOOD, observation=None, last_seen=None), Sync.UNKNOWN, Health.UNKNOWN, Reason.NEVER_REPORTED),
    ],
)
def test_standing(host: KnownHost, sync: Sync, health: Health, reason: Reason) -> None:
    status = host_status(host, NOW, SILENT_AFTER)
    assert (status.sync, status.health, status.reason) == (sync, health, reason)


def test_a_silent_host_still_shows_what_it_last_said() -> None:
    status = host_status(replace(GOOD, last_seen=NOW - 301), NOW, SILENT_AFTER)
    assert [package.installed for package in status.packages] == ["2.0.0"]
    assert "301 s" in status.message


def test_the_worst_package_speaks_for_the_host() -> None:
    other = Goal(
        "other", "upgrade-2", replace(RELEASE, product_code="p2", package_code="k2"), fingerprint="goal-2"
    )
    tally = Tally("other", "goal-2", 2, NOW - 5, Outcome.FAILED, "Error 1603: no room")
    observation = Observation((PRESENT,), tallies=(tally,))
    host = replace(GOOD, assignment=replace(GOOD.assignment, goals=(GOAL, other)), observation=observation)
    status = host_status(host, NOW, SILENT_AFTER)
    assert (status.sync, status.health) == (Sync.OUT_OF_SYNC, Health.DEGRADED)
    assert status.message == "other: Error 1603: no room"


def test_nothing_asked_is_in_order() -> None:
    host = replace(GOOD, assignment=replace(GOOD.assignment, goals=()))
    assert host_status(host, NOW, SILENT_AFTER).sync is Sync.SYNCED
